"""Reads /metrics from standard input as Prometheus does, and prints each sample's name in a line."""

import re
import sys
from prometheus_client.parser import text_string_to_metric_families

text = sys.stdin.read()
names, series = set(), set()
for family in text_string_to_metric_families(text):
    assert family.type in ("counter", "gauge", "histogram"), family
    assert family.documentation, family.name
    assert family.name not in names, f"{family.name} is there twice"
    names.add(family.name)
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in series, f"{key} is there twice"
        series.add(key)
        assert re.fullmatch(r"millstream_[a-z0-9_]+", sample.name), sample.name
        if family.type == "counter":
            assert sample.name.endswith("_total"), sample.name
        assert sample.value == sample.value, key
    if family.type == "histogram":
        by_labels = {}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            group = by_labels.setdefault(tuple(sorted(labels.items())), {"buckets": []})
            if sample.name.endswith("_bucket"):
                group["buckets"].append((float(sample.labels["le"]), sample.value))
            else:
                group[sample.name.rsplit("_", 1)[1]] = sample.value
        for group in by_labels.values():
            bounds = [bound for bound, _ in group["buckets"]]
            counts = [count for _, count in group["buckets"]]
            assert bounds == sorted(bounds) and bounds[-1] == float("inf"), family.name
            assert counts == sorted(counts) and counts[-1] == group["count"], family.name
            assert "sum" in group, family.name
for line in text.splitlines():
    if line.startswith("# TYPE "):
        print(line.split()[2], line.split()[3])
