// peers/rust/tokio.rs - tokio's multi-thread runtime: Handle::spawn from threads outside the runtime.
// A batch is what its users make of one: a single spawn from outside whose task spawns the others on
// its worker, where they go to the worker's own queue. Fork and join (an allocated future per call)
// and parallel loops are not what the runtime is for.
#[path = "glue.rs"]
mod glue;

use glue::*;
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(std::ptr::null_mut());

fn runtime() -> &'static Runtime {
    unsafe { &*RUNTIME.load(Ordering::Acquire) }
}

extern "C" fn create(workers: u32, binding: c_int) {
    let started = AtomicUsize::new(0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers as usize)
        .on_thread_start(move || bind(binding, started.fetch_add(1, Ordering::Relaxed)))
        .build()
        .expect("a runtime");
    RUNTIME.store(Box::into_raw(Box::new(runtime)), Ordering::Release);
}

extern "C" fn submit(_: u32, count: u64) {
    let handle = runtime().handle();
    for _ in 0..count {
        drop(handle.spawn(async { count_one() }));
    }
}

extern "C" fn submit_batches(_: u32, count: u64, batch: u32) {
    let handle = runtime().handle();
    let mut left = count;
    while left > 0 {
        let size = left.min(batch as u64);
        left -= size;
        drop(handle.spawn(async move {
            for _ in 1..size {
                drop(tokio::spawn(async { count_one() }));
            }
            count_one();
        }));
    }
}

extern "C" fn submit_one(function: Function, argument: *mut c_void) {
    let sent = Sent(argument);
    drop(runtime().handle().spawn(async move { function(sent.take()) }));
}

extern "C" fn destroy() {
    let runtime = RUNTIME.swap(std::ptr::null_mut(), Ordering::AcqRel);
    drop(unsafe { Box::from_raw(runtime) }); // waits for its threads
}

static POOL: Pool = Pool {
    create,
    prepare: None,
    submit,
    submit_batches: Some(submit_batches),
    submit_one,
    wait: None,
    destroy,
    only_once: 0,
};

fn main() {
    glue::main(
        &[
            ("submit", glue_run_submit),
            ("batch", glue_run_submit),
            ("wake", glue_run_wake),
            ("idle", glue_run_idle),
            ("memory", glue_run_memory),
            ("growth", glue_run_growth),
            ("create", glue_run_create),
        ],
        &POOL,
    );
}
