//! A zip archive that is the same bytes for the same files.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Files;

/// Packages above this are compressed. Below it, compressing takes longer than moving the bytes
/// within one machine.
const STORED_BYTES_MAX: usize = 32 << 20;

pub(super) fn zip(files: &Files) -> zip::result::ZipResult<Vec<u8>> {
    let total: usize = files.values().map(Vec::len).sum();
    let method = match total > STORED_BYTES_MAX {
        true => CompressionMethod::Deflated,
        false => CompressionMethod::Stored,
    };
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(total + 4096)));
    for (path, content) in files {
        writer.start_file(path.as_str(), options)?;
        writer.write_all(content)?;
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_bytes() {
        let files = Files::from([("b".to_owned(), vec![1]), ("a/c".to_owned(), vec![2; 100])]);
        let one = zip(&files).unwrap();
        assert_eq!(one, zip(&files).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(one)).unwrap();
        assert_eq!(archive.len(), 2);
        assert!(archive.by_name("a/c").is_ok());
    }
}
