"""Reads requests of OTLP, one a line of JSON, as OpenTelemetry's own definitions have them, and prints each record in a line.

    otlp_reader.py FOLDER

FOLDER is where opentelemetry-proto is installed. What the definitions do not know is an error.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: E402
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber  # noqa: E402

for line in sys.stdin:
    request = json_format.Parse(line, ExportLogsServiceRequest())
    for resource in request.resource_logs:
        attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for scope in resource.scope_logs:
            for record in scope.log_records:
                name = SeverityNumber.Name(record.severity_number)
                assert name == f"SEVERITY_NUMBER_{record.severity_text}", name
                assert record.time_unix_nano > 1_700_000_000 * 10**9, record
                print(json.dumps({
                    "service": attributes["service.name"],
                    "scope": scope.scope.name,
                    "level": record.severity_text,
                    "body": record.body.string_value,
                    "attributes": {pair.key: pair.value.string_value for pair in record.attributes},
                }))
