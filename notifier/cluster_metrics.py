"""The notifier's metrics of a cluster; there are none of them without one."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ClusterMetrics:
    """What the intake of a cluster counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("zvonok_notifier_cluster_up", "1 while the cluster's buckets can be read", registry=registry)
        self.refused = Counter(
            "zvonok_notifier_cluster_refused",
            "Values in the cluster that are not what they should be",
            registry=registry,
        )
        states = Counter(
            "zvonok_notifier_cluster_states", "States that were news, by the way they came", ["way"], registry=registry
        )
        self._heard, self._read = states.labels("heard"), states.labels("read")

    def heard(self, *, kept: bool) -> None:
        """A state was news; `kept`: it was read from the bucket, because it was not heard as it was put."""
        (self._read if kept else self._heard).inc()
