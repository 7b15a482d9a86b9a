//! Check of the machine code (x86-64): the fast path has no atomic read-modify-write. The functions of
//! the hot calls, and all functions that they call, must have no lock-prefixed instruction, no exchange
//! with memory and no fence.
//!
//! The check does not follow calls of the slow path, of the queue of gauges (whose order needs such an
//! instruction), of panics, and of libc. Only a few functions of libc may be called. The slow path
//! must have some such instructions, which shows that the check detects them.

use crate::{Error, Findings, Verdict, is_installed, output, verdict};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Demangled names of the hot calls' functions, by group. Each group must have several.
const HOT: [&str; 3] = [
    r"<freewheel::metric::by_name::(record_enabled|record_slow)>",
    r"<freewheel::metric::(handle::(FastHandle::write|SlowHandle::write_checked)|thinned::handle::ThinParts::record)>",
    r"<freewheel::metric::Metric<K,T,M>::record_enabled>|<freewheel::encode::sanitize::copy_if_clean_by>",
];
const AT_LEAST: usize = 7;

/// Further functions of the hot calls.
const ALSO_HOT: &str = "<freewheel::emit::sanitize_into>";

/// Functions of the slow path, whose calls are not followed.
const COLD: &str = "<freewheel_handoff::(exchange::Exchange<C>|reserve::<impl \
    freewheel_handoff::exchange::Exchange<C>>)::(reserve_slow|try_reserve_in_next_block|\
    reserve_ordered|enqueue|reject|reject_oversize|wake_dormant)>|<freewheel::emit::emit_slow>|\
    <freewheel::metric::thinned::handle::ThinParts::(decide_elsewhere|mark_used)>";

/// Panics, the seed of a thread's random numbers, and the clock of timers: calls that are not followed.
const NOT_FOLLOWED: &str = "core::(panicking|slice::index|str::slice_error_fail|\
    option::(expect|unwrap)_failed|result::unwrap_failed|cell::panic)|_fail>|\
    <freewheel::encode::random::seed>|Timespec>::now>";

/// Functions of the standard library that call through a pointer: the accessor of a thread-local, and
/// a text search.
const THROUGH_POINTERS: &str = "LocalKey<T>::with>|Pattern>::is_contained_in>";

/// Functions of libc that hot calls may call.
const LIBC: &str = "^(memcpy|memmove|memset|bcmp|memcmp|clock_gettime|_Unwind_Resume)$";

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    if std::env::consts::ARCH != "x86_64" || !is_installed("objdump") {
        return Ok(Ok("no-lock: SKIPPED: needs x86-64 and binutils".to_owned()));
    }
    let binary = every_call(root)?;
    let relocations = output(Command::new("readelf").args(["--relocs", "--wide"]).arg(&binary))?;
    let code = ["-d", "-C", "--no-show-raw-insn"];
    let code = output(Command::new("objdump").args(code).arg(&binary))?;
    Program::parse(&relocations, &code)?.check()
}

/// Builds the test that makes every hot call with every kind of value, and returns its program.
fn every_call(root: &Path) -> Result<PathBuf, Error> {
    let test = ["test", "--release", "--test", "counts", "--no-run", "--message-format=json"];
    let messages = output(Command::new("cargo").args(test).current_dir(root))?;
    for message in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(message)?;
        if message["target"]["name"] == "counts"
            && let Some(program) = message["executable"].as_str()
        {
            return Ok(program.into());
        }
    }
    Err("cargo has not built the test `counts`".into())
}

/// Machine code of a program: its functions by their addresses, without leading zeros.
#[derive(Default)]
struct Program {
    functions: BTreeMap<String, Function>,
}

#[derive(Default)]
struct Function {
    /// Demangled name in angle brackets.
    name: String,
    /// Addresses of functions of the program, names of functions of libraries, or `?` for a call
    /// through a pointer.
    callees: BTreeSet<String>,
    /// Instructions that lock.
    locked: Vec<String>,
}

impl Program {
    /// Reads what `readelf` and `objdump` print. The relocations have the targets of calls through
    /// memory.
    fn parse(relocations: &str, code: &str) -> Result<Self, Error> {
        let mut slots = BTreeMap::new();
        for line in relocations.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            match fields[..] {
                [at, _, "R_X86_64_RELATIVE", target, ..] => {
                    slots.insert(without_zeros(at), without_zeros(target));
                }
                [at, _, "R_X86_64_GLOB_DAT" | "R_X86_64_JUMP_SLOT", _, name, ..] => {
                    let name = name.split('@').next().unwrap_or_default();
                    slots.insert(without_zeros(at), name);
                }
                _ => {}
            }
        }

        let start = Regex::new(r"^([0-9a-f]+) (<.*>):$")?;
        let lock = Regex::new(r"[ \t](lock|[lms]fence)|xchg .*\(")?;
        let jump = Regex::new("^(call|jmp|j[a-z]+)$")?;
        let inside = Regex::new(r"\+0x[0-9a-f]+>$")?;
        let (mut program, mut at) = (Self::default(), String::new());
        for line in code.lines() {
            if let Some(found) = start.captures(line) {
                at = without_zeros(&found[1]).to_owned();
                let name = found[2].to_owned();
                program.functions.insert(at.clone(), Function { name, ..Function::default() });
                continue;
            }
            let Some(function) = program.functions.get_mut(&at) else { continue };
            if lock.is_match(line) {
                function.locked.push(line.to_owned());
            }
            let mut fields = line.split_whitespace().skip(1);
            let (Some(instruction), Some(target)) = (fields.next(), fields.next()) else {
                continue;
            };
            if !jump.is_match(instruction) {
                continue;
            }
            let is_call = instruction == "call";
            // Calls, and jumps to the start of another function.
            if target.chars().all(|digit| digit.is_ascii_hexdigit()) {
                if is_call || !inside.is_match(line) {
                    function.callees.insert(without_zeros(target).to_owned());
                }
            } else if target.ends_with("(%rip)") {
                let slot = line.rsplit_once("# ").map_or("", |(_, rest)| rest);
                let slot = slot.split(' ').next().unwrap_or_default();
                let callee = slots.get(without_zeros(slot)).copied().unwrap_or("?");
                function.callees.insert(callee.to_owned());
            } else if is_call && target.starts_with('*') {
                function.callees.insert("?".to_owned());
            }
        }
        Ok(program)
    }

    fn check(&self) -> Result<Verdict, Error> {
        let groups: Vec<Regex> = HOT.into_iter().map(Regex::new).collect::<Result<_, _>>()?;
        let also = Regex::new(ALSO_HOT)?;
        let (cold, not_followed) = (Regex::new(COLD)?, Regex::new(NOT_FOLLOWED)?);
        let (through_pointers, libc) = (Regex::new(THROUGH_POINTERS)?, Regex::new(LIBC)?);

        let mut findings = Findings::new();
        for group in &groups {
            let count = self.functions.values().filter(|f| group.is_match(&f.name)).count();
            if count < AT_LEAST {
                findings.push(format!("no-lock: only {count} functions are named {group}"));
            }
        }
        let is_hot = |name: &str| also.is_match(name) || groups.iter().any(|g| g.is_match(name));
        let roots = self.functions.iter().filter(|(_, function)| is_hot(&function.name));
        let mut queue: Vec<&str> = roots.map(|(at, _)| &**at).collect();
        let root_count = queue.len();
        let mut reached: BTreeSet<&str> = queue.iter().copied().collect();
        let (mut followed, mut found, mut found_cold) = (0, 0, 0);
        while let Some(at) = queue.pop() {
            let function = &self.functions[at];
            followed += 1;
            found += function.locked.len();
            let name = &function.name;
            findings.extend(function.locked.iter().map(|line| format!("{name}: {line}")));
            for callee in &function.callees {
                match self.functions.get(callee) {
                    Some(called) if not_followed.is_match(&called.name) => {}
                    Some(_) if !reached.insert(callee) => {}
                    Some(called) if cold.is_match(&called.name) => {
                        found_cold += called.locked.len()
                    }
                    Some(_) => queue.push(callee),
                    None if libc.is_match(callee) => {}
                    None if callee == "?" && through_pointers.is_match(name) => {}
                    None => findings.push(format!("{name} calls an unknown function: {callee}")),
                }
            }
        }
        if found_cold == 0 {
            findings.push("no-lock: no locked instruction is found in the slow path".to_owned());
        }
        Ok(verdict(findings, || {
            format!(
                "no-lock: {root_count} functions of hot calls, {followed} with their callees: {found} \
                 locked instructions; the slow path has {found_cold}"
            )
        }))
    }
}

fn without_zeros(address: &str) -> &str {
    address.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a program with seven hot functions of each group. The first calls a function of the
    /// slow path, which locks, and the function `last`, whose code is given.
    fn program(last: &str) -> Program {
        let mut code = String::new();
        for (group, name) in [
            "<freewheel::metric::by_name::record_enabled>",
            "<freewheel::metric::handle::FastHandle::write>",
            "<freewheel::metric::Metric<K,T,M>::record_enabled>",
        ]
        .iter()
        .enumerate()
        {
            for number in 0..AT_LEAST {
                code += &format!("0000{}{number} {name}:\n", group + 1);
                code += "  1:\tcall   77 <cold>\n  2:\tcall   88 <last>\n  3:\tcall   *0x9(%rip) # 9 <m>\n";
            }
        }
        code += "00077 <freewheel::emit::emit_slow>:\n  4:\tlock xadd %rax,(%rbx)\n";
        code += &format!("00088 <last>:\n{last}\n");
        let relocations =
            "0009 000000000006 R_X86_64_GLOB_DAT 0000000000000000 memcpy@GLIBC_2.14 + 0";
        Program::parse(relocations, &code).expect("valid patterns")
    }

    #[track_caller]
    fn findings(last: &str) -> Findings {
        program(last).check().expect("valid patterns").err().unwrap_or_default()
    }

    #[test]
    fn locked_instructions_are_found_in_callees() {
        assert_eq!(findings("  5:\tmov    %rax,(%rbx)"), [""; 0]);
        for locked in ["lock cmpxchg %rcx,(%rdx)", "xchg   %rax,(%rbx)", "mfence"] {
            assert_eq!(findings(&format!("  5:\t{locked}")).len(), 1, "{locked}");
        }
    }

    #[test]
    fn unknown_callees_are_found() {
        assert_eq!(findings("  5:\tcall   *%rax").len(), 1);
        assert_eq!(findings("  5:\tcall   *0x1234(%rip) # 1234 <x>").len(), 1);
    }
}
