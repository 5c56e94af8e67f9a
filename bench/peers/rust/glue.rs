// peers/rust/glue.rs - the C functions of peers/glue.c: arguments, measurements, checks and results are
// those of every other contender; only the calls that are measured are written in Rust.
#![allow(dead_code)] // each program uses its part

use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_void};

#[repr(C)]
pub struct Args {
    opaque: [u8; 0],
}
#[repr(C)]
pub struct Loop {
    opaque: [u8; 0],
}
#[repr(C)]
pub struct LoopParts {
    pub medium: c_int,
    pub tiny: *mut u32,
    pub values: *mut u64,
}
#[repr(C)]
pub struct Triad {
    pub elements: usize,
    pub a: *mut f64,
    pub b: *mut f64,
    pub c: *mut f64,
    pub scale: f64,
    pub filling: c_int,
}

pub type Function = extern "C" fn(*mut c_void);

/// struct peer_pool of pool.h.
#[repr(C)]
pub struct Pool {
    pub create: extern "C" fn(u32, c_int),
    pub prepare: Option<extern "C" fn(u32, u64, c_int)>,
    pub submit: extern "C" fn(u32, u64),
    pub submit_batches: Option<extern "C" fn(u32, u64, u32)>,
    pub submit_one: extern "C" fn(Function, *mut c_void),
    pub wait: Option<extern "C" fn()>,
    pub destroy: extern "C" fn(),
    pub only_once: c_int,
}

#[repr(C)]
struct Workload {
    name: *const c_char,
    run: unsafe extern "C" fn(*mut Args),
}

pub const FREE: c_int = 0;
pub const ONE_CPU: c_int = 1;

extern "C" {
    fn glue_main(
        argc: c_int,
        argv: *mut *mut c_char,
        list: *const Workload,
        count: usize,
        pool: *const Pool,
    ) -> c_int;
    pub fn glue_run_submit(args: *mut Args);
    pub fn glue_run_growth(args: *mut Args);
    pub fn glue_run_wake(args: *mut Args);
    pub fn glue_run_idle(args: *mut Args);
    pub fn glue_run_memory(args: *mut Args);
    pub fn glue_run_create(args: *mut Args);
    fn glue_count_one();
    fn glue_bind(binding: c_int, worker: u32);
    fn glue_workers(args: *const Args) -> u32;
    fn glue_cpus() -> u32;
    fn glue_now() -> u64;
    fn glue_fib_n(args: *mut Args) -> u32;
    fn glue_fib_report(args: *mut Args, n: u32, result: u64, ns: u64);
    fn glue_uts_root(args: *mut Args, t3: c_int) -> u64;
    fn glue_uts_report(args: *mut Args, t3: c_int, nodes: u64, ns: u64);
    fn glue_nqueens_n(args: *mut Args) -> u32;
    fn glue_nqueens_report(args: *mut Args, n: u32, solutions: u64, ns: u64);
    fn glue_run_loop(
        args: *mut Args,
        once: extern "C" fn(*mut c_void, *mut Loop),
        context: *mut c_void,
    );
    fn glue_loop_parts(all: *mut Loop) -> LoopParts;
    fn glue_run_triad(
        args: *mut Args,
        once: extern "C" fn(*mut c_void, *const Triad),
        context: *mut c_void,
    );
}

/// An argument that goes to another thread with its task.
pub struct Sent(pub *mut c_void);
unsafe impl Send for Sent {}

impl Sent {
    pub fn take(self) -> *mut c_void {
        self.0
    }
}

/// The whole empty task.
#[inline]
pub fn count_one() {
    unsafe { glue_count_one() }
}

pub fn bind(binding: c_int, worker: usize) {
    unsafe { glue_bind(binding, worker as u32) }
}

pub fn workers(args: *mut Args) -> usize {
    unsafe { glue_workers(args) as usize }
}

/// One CPU for each worker, if there are as many.
pub fn binding_for(workers: usize) -> c_int {
    if workers as u64 <= unsafe { glue_cpus() } as u64 {
        ONE_CPU
    } else {
        FREE
    }
}

/// The result of `work` and the nanoseconds it took.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let begin = unsafe { glue_now() };
    let result = work();
    (result, unsafe { glue_now() } - begin)
}

pub fn fib_n(args: *mut Args) -> u32 {
    unsafe { glue_fib_n(args) }
}

pub fn fib_report(args: *mut Args, n: u32, result: u64, ns: u64) {
    unsafe { glue_fib_report(args, n, result, ns) }
}

pub fn uts_root(args: *mut Args, t3: bool) -> u64 {
    unsafe { glue_uts_root(args, t3 as c_int) }
}

pub fn uts_report(args: *mut Args, t3: bool, nodes: u64, ns: u64) {
    unsafe { glue_uts_report(args, t3 as c_int, nodes, ns) }
}

pub fn nqueens_n(args: *mut Args) -> u32 {
    unsafe { glue_nqueens_n(args) }
}

pub fn nqueens_report(args: *mut Args, n: u32, solutions: u64, ns: u64) {
    unsafe { glue_nqueens_report(args, n, solutions, ns) }
}

pub fn run_loop(args: *mut Args, once: extern "C" fn(*mut c_void, *mut Loop)) {
    unsafe { glue_run_loop(args, once, std::ptr::null_mut()) }
}

pub fn loop_parts(all: *mut Loop) -> LoopParts {
    unsafe { glue_loop_parts(all) }
}

pub fn run_triad(args: *mut Args, once: extern "C" fn(*mut c_void, *const Triad)) {
    unsafe { glue_run_triad(args, once, std::ptr::null_mut()) }
}

/// The whole of a contender's main().
pub fn main(list: &[(&str, unsafe extern "C" fn(*mut Args))], pool: &'static Pool) {
    let strings: Vec<CString> = std::env::args().map(|a| CString::new(a).unwrap()).collect();
    let mut arguments: Vec<*mut c_char> =
        strings.iter().map(|s| s.as_ptr() as *mut c_char).collect();
    arguments.push(std::ptr::null_mut());
    let names: Vec<CString> = list.iter().map(|w| CString::new(w.0).unwrap()).collect();
    let workloads: Vec<Workload> = list
        .iter()
        .zip(&names)
        .map(|(w, name)| Workload { name: name.as_ptr(), run: w.1 })
        .collect();
    let code = unsafe {
        glue_main(
            strings.len() as c_int,
            arguments.as_mut_ptr(),
            workloads.as_ptr(),
            workloads.len(),
            pool,
        )
    };
    std::process::exit(code);
}
