"""Debian's libraries as Bazel targets: @debian//:NAME.

Each target is what pkg-config says of the package, so that headers and
libraries are the distribution's and its security updates reach us. A library
without a .pc file, or not linked as it says, names its own link flags.
"""

# Bazel name -> (pkg-config modules, extra link flags).
_LIBRARIES = {
    "absl_base": (["absl_base", "absl_core_headers"], []),
    "absl_flags": (["absl_flags", "absl_flags_parse", "absl_flags_usage"], []),
    "absl_hash_map": (["absl_flat_hash_map", "absl_flat_hash_set"], []),
    "absl_status": (["absl_status", "absl_statusor"], []),
    "absl_strings": (["absl_strings", "absl_str_format", "absl_cord"], []),
    "absl_sync": (["absl_synchronization"], []),
    "absl_time": (["absl_time"], []),
    "benchmark": (["benchmark"], []),
    "boost": ([], ["-lpthread"]),
    # The archive: of 5 MB we need one hash, and what the shared library sets up
    # when it is loaded is a tenth of kyc_server's memory at rest.
    "cryptopp": ([], ["-l:libcrypto++.a"]),
    "curl": (["libcurl"], []),
    "grpc": (["grpc++"], []),
    "grpc_reflection": (["grpc++"], ["-lgrpc++_reflection"]),
    "gtest": (["gtest", "gmock"], []),
    "gtest_main": (["gtest", "gmock", "gmock_main"], []),
    "hiredis": (["hiredis"], []),
    "openssl": (["openssl"], []),
    "prometheus": (["prometheus-cpp-core"], []),
    "protobuf": (["protobuf"], []),
    "rapidcheck": ([], ["-lrapidcheck"]),
    "rapidjson": ([], []),
    "secp256k1": (["libsecp256k1"], []),
    "spdlog": (["spdlog"], []),
}

def _pkg_config(ctx, modules, flag):
    if not modules:
        return []
    result = ctx.execute(["pkg-config", flag] + modules)
    if result.return_code != 0:
        fail("pkg-config {} {}: {} (run deploy/install_packages)".format(
            flag,
            " ".join(modules),
            result.stderr,
        ))
    return [f for f in result.stdout.strip().split(" ") if f]

def _debian_libraries_impl(ctx):
    build = ["package(default_visibility = [\"//visibility:public\"])", ""]
    for name, (modules, extra) in _LIBRARIES.items():
        defines = [
            flag[2:]
            for flag in _pkg_config(ctx, modules, "--cflags")
            if flag.startswith("-D")
        ]
        links = _pkg_config(ctx, modules, "--libs") + extra
        build.append("cc_library(name = {}, defines = {}, linkopts = {})".format(
            repr(name),
            repr(defines),
            repr(links),
        ))
    build.append("""
filegroup(name = "protoc", srcs = ["bin/protoc"])
filegroup(name = "grpc_cpp_plugin", srcs = ["bin/grpc_cpp_plugin"])
""")
    ctx.symlink(ctx.which("protoc"), "bin/protoc")
    ctx.symlink(ctx.which("grpc_cpp_plugin"), "bin/grpc_cpp_plugin")
    ctx.file("BUILD.bazel", "\n".join(build) + "\n")

debian_libraries = repository_rule(
    implementation = _debian_libraries_impl,
    doc = "Makes @debian//:NAME for each library the project links.",
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)
