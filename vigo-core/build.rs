//! Compiles the protobuf schema with protox: no `protoc` on the building machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/vigo/v1/fleet.proto", "proto/vigo/v1/frames.proto", "proto/vigo/v1/records.proto"];
    println!("cargo:rerun-if-changed=proto");
    let service = cfg!(feature = "grpc");
    tonic_prost_build::configure()
        .build_client(service)
        .build_server(service)
        .compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}
