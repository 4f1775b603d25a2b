"""The whole service with a fault proxy between each pair of its parts."""

import os
import sys

sys.path.insert(
    0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system")
)
from fault_proxy import FaultProxy  # noqa: E402
from stack import Stack  # noqa: E402

RPC_TIMEOUT = 5.0  # The gateway's, for calls that may ask the provider.

# Between whom: the flag with which the first finds the second.
LINKS = {
    ("gateway", "kyc"): "--kyc_address={}",
    ("gateway", "webhook"): "--webhook_address={}",
    ("webhook", "kyc"): "--kyc_address={}",
    ("kyc", "redis"): "--redis_url=redis://{}/0",
    ("webhook", "redis"): "--redis_url=redis://{}/0",
    ("kyc", "provider"): "--sumsub_base_url=http://{}",
}


class BrokenStack(Stack):
    """A Stack whose links are `proxies`, by (from, to)."""

    def __init__(self, flags=None, links=LINKS):
        super().__init__(start=False)
        self.proxies = {}
        try:
            self.flags = {"gateway": [f"--rpc_timeout={RPC_TIMEOUT}s"]}
            for name, each in (flags or {}).items():
                self.flags.setdefault(name, []).extend(each)
            for link in links:
                source, target = link
                proxy = FaultProxy(self.address(target))
                self.proxies[link] = proxy
                self.flags.setdefault(source, []).append(
                    LINKS[link].format(proxy.address)
                )
            self.start_all()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        super().stop()
        for proxy in self.proxies.values():
            proxy.close()
