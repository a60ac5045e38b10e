//! Where the testkit stands, for `cargo test`; the job itself is linked with nothing of Gearpump.
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let found = Command::new("pkg-config")
        .args(["--variable=libdir", "gearpump-testkit"])
        .output();
    if let Ok(output) = found {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if output.status.success() && !folder.is_empty() {
            println!("cargo:rustc-link-search=native={folder}");
        }
    }
}
