"""C++ code from .proto files, by Debian's protoc and gRPC plugin."""

def cc_grpc_library(name, srcs, deps = [], grpc = True, visibility = None):
    """Messages (and, unless grpc is False, service stubs) of .proto files.

    Args:
      name: the library; its .proto files are also the filegroup name_protos.
      srcs: .proto files; imports are relative to //proto.
      deps: other cc_grpc_library targets these files import.
      grpc: whether the files define services.
      visibility: as for any rule.
    """
    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [d + "_protos" for d in deps],
        visibility = visibility,
    )
    outs = []
    for src in srcs:
        stem = src[:-len(".proto")]
        outs += [stem + ".pb.h", stem + ".pb.cc"]
        if grpc:
            outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
    command = "$(execpath @debian//:protoc) -Iproto --cpp_out=$(GENDIR)/proto "
    if grpc:
        command += ("--plugin=protoc-gen-grpc=" +
                    "$(execpath @debian//:grpc_cpp_plugin) " +
                    "--grpc_out=$(GENDIR)/proto ")
    native.genrule(
        name = name + "_gen",
        srcs = srcs + [":" + name + "_protos"],
        outs = outs,
        cmd = command + " ".join(["$(execpath %s)" % s for s in srcs]),
        tools = ["@debian//:grpc_cpp_plugin", "@debian//:protoc"],
    )
    native.cc_library(
        name = name,
        srcs = [o for o in outs if o.endswith(".cc")],
        hdrs = [o for o in outs if o.endswith(".h")],
        copts = ["-Wno-unused-parameter"],
        strip_include_prefix = "/proto",
        visibility = visibility,
        deps = deps + ["@debian//:protobuf"] +
               (["@debian//:grpc"] if grpc else []),
    )
