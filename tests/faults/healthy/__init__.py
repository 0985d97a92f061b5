"""All healthy traffic."""

from __future__ import annotations

from tests.faults.healthy import neighbours, traffic
from tests.faults.healthy.base import Healthy

HEALTHY: tuple[type[Healthy], ...] = (
    traffic.BulkTcp,
    traffic.ShortConnections,
    traffic.QuicLike,
    traffic.AuthoritativeDns,
    traffic.RecursiveResolver,
    traffic.ForwardingHost,
    traffic.HealthChecks,
    traffic.Ipv6Only,
    traffic.Vlan,
    traffic.JumboFrames,
    traffic.BackupBurst,
    traffic.Idle,
    traffic.SingleFlow,
    neighbours.MemcachedClient,
    neighbours.LargeDatagrams,
    neighbours.MirrorPort,
    neighbours.BurstOfClients,
    neighbours.Shaper,
    neighbours.StatefulFirewall,
    neighbours.VxlanOverlay,
    neighbours.StandbyTakesOver,
    neighbours.PathMtuDiscovery,
    neighbours.NarrowLinkRouter,
    neighbours.ServiceRestarts,
    neighbours.UploadThroughSlowLine,
)
