"""Rows of measurements as one table of medians."""

import statistics


class Report:
    def __init__(self):
        self.rows = {}  # (scenario, how) -> target -> results
        self.notes = []

    def add(self, scenario, how, target, result):
        row = self.rows.setdefault((scenario, how), {})
        row.setdefault(target, []).append(result)

    def note(self, text):
        self.notes.append(text)

    @staticmethod
    def _server_cpu(result):
        return sum(value for name, value in result["cpu"].items()
                   if name != "redis")

    def _median(self, results, of):
        values = [of(result) for result in results]
        return statistics.median(values) if None not in values else None

    def table(self):
        lines = [
            "| scenario | load | target | requests/s | p50 ms | p99 ms "
            "| p99.9 ms | server CPU µs/request | of which "
            "| Redis CPU µs | peak RSS MiB |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for (scenario, how), targets in self.rows.items():
            for target, results in targets.items():
                lines.append(self._line(scenario, how, target, results))
        return "\n".join(lines)

    def _line(self, scenario, how, target, results):
        def median(key, form="{:.2f}"):
            value = self._median(results, lambda r: r.get(key))
            return "" if value is None else form.format(value)

        names = [n for n in results[0]["cpu"] if n != "redis"]
        parts = {name: self._median(results, lambda r: r["cpu"][name])
                 for name in names}
        # What has no part in a scenario is left out.
        of_which = " + ".join(f"{name} {value:.1f}"
                              for name, value in parts.items() if value >= .05)
        total = (f"{self._median(results, self._server_cpu):.1f}"
                 if names else "")
        redis = (f"{self._median(results, lambda r: r['cpu']['redis']):.1f}"
                 if "redis" in results[0]["cpu"] else "")
        memory = results[-1].get("memory", {})
        peak = " + ".join(f"{name} {memory[name]:.0f}" for name in names
                          if name in memory and parts[name] >= .05)
        return (f"| {scenario} | {how} | {target} "
                f"| {median('rps', '{:,.0f}')} | {median('p50')} "
                f"| {median('p99')} | {median('p999')} | {total} | {of_which} "
                f"| {redis} | {peak} |")

    def ratios(self):
        """Of peers to this service, round by round; medians."""
        lines = []
        for (scenario, how), targets in self.rows.items():
            ours = targets.get("kyc", [])
            for name, theirs in targets.items():
                if name == "kyc":
                    continue
                def ratio(of):
                    return statistics.median(
                        of(b) / max(of(a), 1e-9)
                        for a, b in zip(ours, theirs))
                lines.append(
                    f"| {scenario} | {how} | {name} "
                    f"| {ratio(self._server_cpu):.2f} "
                    f"| {ratio(lambda r: sum(r['cpu'].values())):.2f} "
                    f"| {ratio(lambda r: r['p50']):.2f} "
                    f"| {ratio(lambda r: r['p99']):.2f} |")
        if not lines:
            return ""
        return "\n".join([
            "| scenario | load | peer | server CPU | with Redis | p50 | p99 |",
            "|---|---|---|---|---|---|---|", *lines])
