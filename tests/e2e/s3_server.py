"""An S3 server for tests: moto, which checks the signature of each request, or refuses it.

    s3_server.py FOLDER BUCKET FAILURES PAUSE

FOLDER is where moto is installed. The first FAILURES parts of uploads are answered with 503, and each part after PAUSE seconds. A line of JSON says the port
and the keys; after it comes a line for each request that is answered: method, path, query and status.
"""

import hashlib
import hmac
import json
import os
import sys
import threading
import time
from urllib.parse import parse_qsl, quote

# Those that make the user and the bucket.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

sys.path.insert(0, sys.argv[1])

import boto3  # noqa: E402
from botocore.auth import S3SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

BUCKET, FAILURES, PAUSE = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"


def signature(environ, query):
    """That of a link (AWS Signature Version 4, query parameters), which moto does not check."""
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    pairs = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in query.items())
    canonical = "\n".join([
        environ["REQUEST_METHOD"],
        quote(environ["PATH_INFO"], "/-_.~"),
        "&".join(f"{name}={value}" for name, value in pairs),
        f"host:{environ['HTTP_HOST']}\n",
        "host",
        "UNSIGNED-PAYLOAD",
    ])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = ("AWS4" + server.secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest])
    return hmac.new(key, text.encode(), "sha256").hexdigest()


class Server:
    def __init__(self):
        self.application = DomainDispatcherApplication(create_backend_app)
        self.failures = FAILURES
        self.lock = threading.Lock()
        self.tells = False
        self.access = self.secret = ""

    def sign(self, environ):
        """Makes the request of a valid link one that moto knows."""
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        if query.pop("X-Amz-Signature") != signature(environ, query):
            return False
        request = AWSRequest(environ["REQUEST_METHOD"], f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}")
        S3SigV4Auth(Credentials(self.access, self.secret), "s3", "us-east-1").add_auth(request)
        for name, value in request.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        environ["QUERY_STRING"] = ""
        return True

    def __call__(self, environ, start_response):
        query = environ.get("QUERY_STRING", "")

        def answer(status, headers, *rest):
            if self.tells:
                line = [environ["REQUEST_METHOD"], environ["PATH_INFO"], query, status.split()[0]]
                print("\t".join(line), flush=True)
            return start_response(status, headers, *rest)

        if "X-Amz-Signature=" in query and not self.sign(environ):
            answer("403 Forbidden", [("Content-Length", "0")])
            return []
        if environ["REQUEST_METHOD"] == "PUT" and "partNumber=" in query:
            time.sleep(PAUSE)
            with self.lock:
                fails = self.failures > 0
                self.failures -= fails
            if fails:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                answer("503 Slow Down", [("Content-Length", str(len(SLOW_DOWN)))])
                return [SLOW_DOWN]
        return self.application(environ, answer)


server = Server()
http = make_server("127.0.0.1", 0, server, threaded=True)
threading.Thread(target=http.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{http.server_port}"
nobody = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
iam = boto3.client("iam", **nobody)
iam.create_user(UserName="millstream")
key = iam.create_access_key(UserName="millstream")["AccessKey"]
iam.put_user_policy(UserName="millstream", PolicyName="all", PolicyDocument=json.dumps(ANYTHING))
boto3.client("s3", **nobody).create_bucket(Bucket=BUCKET)
server.access, server.secret, server.tells = key["AccessKeyId"], key["SecretAccessKey"], True
print(json.dumps({"endpoint": endpoint, "access": server.access, "secret": server.secret}), flush=True)
threading.Event().wait()
