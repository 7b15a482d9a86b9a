//! Page faults in advance: touches stack, code and constants that later calls use.
//!
//! The first access to a page takes a page fault, which takes the operating system microseconds, or
//! milliseconds if it reads the page from a disk.

use std::hint::black_box;

/// Size in bytes of the part of a thread's stack that is touched. Calls that emit need less than 8 KiB,
/// and up to 64 KiB without optimisation.
const TOUCHED_STACK: usize = if cfg!(debug_assertions) { 96 << 10 } else { 32 << 10 };

/// Writes to the thread's stack below the caller's frame, so that its pages are in memory.
#[inline(never)]
pub(crate) fn touch_stack() {
    black_box(&mut [0_u8; TOUCHED_STACK]);
}

/// Calls the functions of the C library that the compiler calls for slices. A program that binds
/// symbols lazily looks them up now.
#[inline(never)]
pub(crate) fn bind_symbols() {
    let (mut bytes, len) = ([0_u8; 512], black_box(200));
    bytes[..len].fill(1);
    let (left, right) = black_box(&mut bytes).split_at_mut(256);
    left[..len].copy_from_slice(&right[..len]);
    black_box(left[..len] == right[..len]);
    bytes.copy_within(1..len, 0);
    black_box(&bytes);
}

/// Maps the pages of the code and the constants of this program and of the C library, as far as the
/// operating system allows.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) use linux::map_code;

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn map_code() {}

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use std::fs::{File, read_to_string};
    use std::io;
    use std::ops::Range;
    use std::os::unix::fs::FileExt;

    /// Number of bytes that are read at once.
    const CHUNK: usize = 64 << 10;

    /// Maps the pages of the code and the constants of this program and of the C library. If that fails,
    /// the first execution of each page takes a page fault, as usual.
    pub(crate) fn map_code() {
        let _ = try_map_code();
    }

    /// Reads the pages through a file. The operating system then maps them for this process, since it
    /// reads memory like a thread of it. `madvise` with `MADV_POPULATE_READ` would do the same, in
    /// `unsafe` code.
    fn try_map_code() -> io::Result<()> {
        let memory = File::open("/proc/self/mem")?;
        let maps = read_to_string("/proc/self/maps")?;
        let own = [try_map_code as *const () as usize, libc::memcpy as *const () as usize];
        let mut chunk = vec![0; CHUNK];
        for range in ranges_of_files(&maps, &own) {
            for from in range.clone().step_by(CHUNK) {
                let len = CHUNK.min(range.end - from);
                memory.read_exact_at(&mut chunk[..len], from as u64)?;
            }
        }
        Ok(())
    }

    /// Returns the readable address ranges of the files that are mapped at the given addresses. `maps` has
    /// the format of `/proc/self/maps`, see proc(5).
    fn ranges_of_files(maps: &str, addresses: &[usize]) -> Vec<Range<usize>> {
        let mappings: Vec<_> = maps.lines().filter_map(Mapping::parse).collect();
        let has_own = |mapping: &&Mapping<'_>| {
            addresses.iter().any(|address| mapping.range.contains(address))
        };
        let files: Vec<_> = mappings.iter().filter(has_own).map(|own| own.file).collect();
        let is_own = |mapping: &Mapping<'_>| files.contains(&mapping.file);
        let own = mappings.into_iter().filter(|one| one.is_readable && is_own(one));
        own.map(|mapping| mapping.range).collect()
    }

    /// Address range of a mapped file.
    struct Mapping<'a> {
        range: Range<usize>,
        is_readable: bool,
        /// Device and inode of the file.
        file: (&'a str, &'a str),
    }

    impl<'a> Mapping<'a> {
        /// Parses a line of `/proc/self/maps`. Returns `None` for memory without a file.
        fn parse(line: &'a str) -> Option<Self> {
            let mut fields = line.split_ascii_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let address = |text| usize::from_str_radix(text, 16).ok();
            let is_readable = fields.next()?.starts_with('r');
            let file = (fields.nth(1)?, fields.next()?);
            let has_file = file.1 != "0";
            has_file.then_some(Self { range: address(start)?..address(end)?, is_readable, file })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn ranges_are_those_of_the_files_at_the_addresses() {
            let maps = "\
1000-2000 r--p 00000000 fe:01 17 /a program
2000-4000 r-xp 00001000 fe:01 17 /a program
4000-5000 ---p 00003000 fe:01 17 /a program
5000-6000 rw-p 00000000 00:00 0
7000-8000 r--p 00000000 fe:01 18 /data
8000-9000 r-xp 00000000 fe:02 17 /lib
a000-b000 r-xp 00000000 00:00 0 [vdso]
not a mapping
";
            assert_eq!(ranges_of_files(maps, &[0x3fff, 0x5000]), [0x1000..0x2000, 0x2000..0x4000]);
            assert_eq!(ranges_of_files(maps, &[0x8000, 0x9000]), vec![0x8000..0x9000]);
        }

        #[test]
        fn the_code_can_be_read() {
            try_map_code().expect("the memory of this process is readable");
        }
    }
}
