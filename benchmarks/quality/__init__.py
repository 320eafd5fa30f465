"""Detection quality on labelled series: the protocol, the metrics, and the peers beside ours."""
