//! Filter of system calls, which ends the process at a forbidden one.

#![allow(unsafe_code)]

/// Installs a seccomp filter that kills the process if this thread makes a system call that is not
/// in `calls`. Returns true on success.
pub(crate) fn allow_only(calls: &[libc::c_long]) -> bool {
    let statement = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jt as u8,
        jf: 0,
        k,
    };
    // Loads the number of the system call, and jumps to the last statement if the call is allowed.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (index, &call) in calls.iter().enumerate() {
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        program.push(statement(jump, calls.len() - index, call as u32));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_KILL_PROCESS));
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program is alive during the call, which copies it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}

/// Prints `result`, and then makes a forbidden system call, which ends the process if the filter is in
/// force. The filter must allow `write` and `exit_group`.
pub(crate) fn end_under_filter(result: &[u8]) -> ! {
    // SAFETY: the bytes are alive during the calls. If the filter is in force, the forbidden call
    // ends the process before the second message.
    unsafe {
        libc::syscall(libc::SYS_write, 1, result.as_ptr(), result.len());
        libc::syscall(libc::SYS_getpid);
        libc::syscall(libc::SYS_write, 1, b"no filter\n".as_ptr(), 10);
        libc::syscall(libc::SYS_exit_group, 0);
    }
    unreachable!()
}
