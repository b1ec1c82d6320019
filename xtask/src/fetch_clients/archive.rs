//! Package files: their checksum and what is in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use cutape_test_clients::python;
use sha2::{Digest, Sha256};

use super::command::run;

/// SHA-256 of a file, lower-case hexadecimal.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Unpacks a package file into an existing folder, by its ending. The checksum has been compared before.
pub fn unpack(file: &Path, into: &Path) -> Result<(), String> {
    let mut command = match file.extension().and_then(|extension| extension.to_str()) {
        Some("whl") => {
            let mut python = Command::new(python::interpreter());
            python.args(["-m", "zipfile", "-e"]).arg(file).arg(into);
            python
        }
        Some("tgz") => {
            let mut tar = Command::new("tar");
            // npm puts everything into a folder named `package`.
            tar.args(["--strip-components=1", "--no-same-owner", "-xzf"])
                .arg(file)
                .arg("-C")
                .arg(into);
            tar
        }
        Some("deb") => {
            let mut dpkg = Command::new("dpkg-deb");
            dpkg.arg("-x").arg(file).arg(into);
            dpkg
        }
        _ => return Err(format!("{}: expected a .whl, .tgz or .deb", file.display())),
    };
    run(&mut command).map(drop)
}
