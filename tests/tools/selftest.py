"""What `inocula selftest` says of the CPU, in both precisions: selftest.py PROGRAM."""

import json

from program import expect, finish, run


def main():
    for precision in ("fp32", "bf16"):
        # On one thread: its small steps end at once, and threads that sleep between them would triple the time.
        done = run("selftest", "--precision", precision, "--threads", 1, "--json")
        expect(done.returncode == 0, f"{precision}: {done.stdout} {done.stderr}")
        found = json.loads(done.stdout)
        checks = found["checks"]
        expect(found["device"] == "cpu" and all(c["passed"] and c["measured"] <= c["allowed"] for c in checks), f"{precision}: {checks}")
        for part in ("random numbers: ", "a training step: ", "a step of adversarial training: ", "network: ", "attacks: "):
            expect(any(c["check"].startswith(part) for c in checks), f"{precision}: nothing on '{part}'")


main()
finish()
