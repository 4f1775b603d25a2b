"""The service with two webhook_servers side by side, each of which reaches
KycService through a fault proxy of its own."""

import signal

from fault_proxy import FaultProxy
from stack import Stack, free_ports, request, wait_until

SECOND = "webhook2"


class TwoWebhooks(Stack):
    def __init__(self, flags=()):
        super().__init__(start=False)
        self.ports[SECOND], self.ports[SECOND + "_admin"] = free_ports(2)
        self.proxies = {}
        for name in ("webhook", SECOND):
            self.proxies[name] = FaultProxy(self.address("kyc"))
            self.flags[name] = [
                "--listen=" + self.address(name),
                "--admin_listen=" + self.address(name + "_admin"),
                "--kyc_address=" + self.proxies[name].address,
                *flags,
            ]
        try:
            self.start_all()
            self.start(SECOND)
            wait_until(self.shared, 60, 0.2, "each has its partitions")
        except BaseException:
            self.stop()
            raise

    def shared(self):
        """Whether each has its share of the event stream's partitions."""
        for name in ("webhook", SECOND):
            admin = self.port(name + "_admin")
            text = request(admin, "GET", "/metrics")[2]
            if "\nkyc_webhook_partitions_owned 8\n" not in text:
                return False
        return True

    def command(self, name):
        if name != SECOND:
            return super().command(name)
        # The last of two equal flags counts.
        return super().command("webhook") + self.flags[SECOND]

    def stop(self):
        if SECOND in self.processes:
            self.kill(SECOND, signal.SIGKILL)
        super().stop()
        for proxy in self.proxies.values():
            proxy.close()
