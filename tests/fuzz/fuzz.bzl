"""Fuzz targets: a test that replays a corpus, and a binary that extends it."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, deps):
    """Makes two programs of NAME.cc, which defines LLVMFuzzerTestOneInput.

    NAME_test replays corpus/NAME, with any compiler options. NAME_fuzzer makes
    new inputs; tests/fuzz/run builds it with --config=fuzz.

    Args:
      name: of the target, its source and its corpus.
      deps: what it feeds.
    """
    srcs = [name + ".cc", "check.h"]
    cc_test(
        name = name + "_test",
        size = "small",
        srcs = srcs + ["replay_main.cc"],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/" + name + "/*"]),
        deps = deps,
    )
    cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],  # Of no use without --config=fuzz.
        deps = deps,
    )
