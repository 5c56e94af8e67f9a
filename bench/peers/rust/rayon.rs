// peers/rust/rayon.rs - rayon: join for fork and join, parallel iterators for loops, ThreadPool::spawn
// for submits from outside. Threads are pinned by the pool's start handler.
//
// A node's children are forked by halving their range with join, rayon's own way: it keeps every
// job on the stack, where Scope::spawn would allocate each.
#[path = "glue.rs"]
mod glue;

use glue::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static THREAD_POOL: AtomicPtr<ThreadPool> = AtomicPtr::new(std::ptr::null_mut());
static EXITED: AtomicUsize = AtomicUsize::new(0);

fn build(workers: usize, binding: c_int) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .start_handler(move |worker| bind(binding, worker))
        .exit_handler(|_| {
            EXITED.fetch_add(1, Ordering::Release);
        })
        .build()
        .expect("a thread pool")
}

/// Runs `body` on a thread of a pool for fork and join or for loops.
fn inside(args: *mut Args, body: impl Fn(*mut Args) + Sync) {
    let count = workers(args);
    let args = args as usize;
    build(count, binding_for(count)).install(|| body(args as *mut Args));
}

// --- fork and join ------------------------------------------------------------------------------

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n as u64;
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

extern "C" fn run_fib(args: *mut Args) {
    let n = fib_n(args);
    inside(args, |args| {
        fib(n.min(25));
        let (result, ns) = timed(|| fib(n));
        fib_report(args, n, result, ns);
    });
}

fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
    z ^ (z >> 31)
}

fn hash(node: u64, child: u32) -> u64 {
    mix(node.wrapping_add((child as u64 + 1).wrapping_mul(0x9e3779b97f4a7c15)))
}

trait Tree {
    fn children(node: u64) -> u32;
    fn child(node: u64, i: u32) -> u64;
}

struct T1;
struct T3;

const fn t1_thresholds() -> [u32; 32] {
    let mut list = [0; 32];
    let mut threshold = 1u64 << 32;
    let mut k = 0;
    while k < 32 {
        threshold = threshold * 4 / 5;
        list[k] = threshold as u32;
        k += 1;
    }
    list
}
static T1_THRESHOLDS: [u32; 32] = t1_thresholds();

impl Tree for T1 {
    fn children(node: u64) -> u32 {
        let random = (node >> 32) as u32;
        let mut children = 0;
        if node & 15 >= 10 {
            return 0;
        }
        while children < 32 && random < T1_THRESHOLDS[children] {
            children += 1;
        }
        children as u32
    }
    fn child(node: u64, i: u32) -> u64 {
        (hash(node, i) & !15) | ((node & 15) + 1)
    }
}

impl Tree for T3 {
    fn children(node: u64) -> u32 {
        if node & 1 != 0 {
            2000
        } else if ((node >> 32) as u32) < 536334041 {
            8
        } else {
            0
        }
    }
    fn child(node: u64, i: u32) -> u64 {
        hash(node, i) & !1
    }
}

fn walk<T: Tree>(node: u64) -> u64 {
    match T::children(node) {
        0 => 1,
        children => 1 + walk_range::<T>(node, 0, children),
    }
}

fn walk_range<T: Tree>(node: u64, begin: u32, end: u32) -> u64 {
    if end - begin == 1 {
        return walk::<T>(T::child(node, begin));
    }
    let middle = begin + (end - begin) / 2;
    let (left, right) = rayon::join(
        || walk_range::<T>(node, begin, middle),
        || walk_range::<T>(node, middle, end),
    );
    left + right
}

fn run_uts<T: Tree>(args: *mut Args, t3: bool) {
    let root = uts_root(args, t3);
    inside(args, |args| {
        fib(22);
        let (nodes, ns) = timed(|| walk::<T>(root));
        uts_report(args, t3, nodes, ns);
    });
}

extern "C" fn run_t1(args: *mut Args) {
    run_uts::<T1>(args, false);
}

extern "C" fn run_t3(args: *mut Args) {
    run_uts::<T3>(args, true);
}

fn may_place(board: u64, column: u32) -> bool {
    let rows = (board & 15) as i32;
    for row in 0..rows {
        let other = (board >> (4 + 4 * row) & 15) as i32;
        let (apart, above) = (other - column as i32, rows - row);
        if apart == 0 || apart == above || apart == -above {
            return false;
        }
    }
    true
}

fn queens(board: u64) -> u64 {
    let n = (board >> 60) as u32;
    if board & 15 == board >> 60 {
        return 1;
    }
    let mut boards = [0; 15];
    let mut placed = 0;
    for column in 0..n {
        if may_place(board, column) {
            boards[placed] = (board | (column as u64) << (4 + 4 * (board & 15))) + 1;
            placed += 1;
        }
    }
    queens_of_all(&boards[..placed])
}

fn queens_of_all(boards: &[u64]) -> u64 {
    match boards.len() {
        0 => 0,
        1 => queens(boards[0]),
        count => {
            let (first, second) = boards.split_at(count / 2);
            let (left, right) = rayon::join(|| queens_of_all(first), || queens_of_all(second));
            left + right
        }
    }
}

extern "C" fn run_queens(args: *mut Args) {
    let n = nqueens_n(args);
    inside(args, |args| {
        queens(8 << 60);
        let (solutions, ns) = timed(|| queens((n as u64) << 60));
        nqueens_report(args, n, solutions, ns);
    });
}

// --- loops --------------------------------------------------------------------------------------

fn medium_step(mut x: u64) -> u64 {
    for _ in 0..18 {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        x ^= x >> 33;
    }
    x
}

/// One piece per thread: the smallest number of joins, and nothing left to steal later.
extern "C" fn loop_once(_: *mut c_void, all: *mut Loop) {
    let parts = loop_parts(all);
    let piece = 1024usize.div_ceil_by(rayon::current_num_threads());
    if parts.medium == 0 {
        let tiny = unsafe { std::slice::from_raw_parts_mut(parts.tiny, 1024) };
        tiny.par_chunks_mut(piece).for_each(|chunk| {
            for x in chunk {
                *x = x.wrapping_add(1);
            }
        });
    } else {
        let values = unsafe { std::slice::from_raw_parts_mut(parts.values, 1024) };
        values.par_chunks_mut(piece).for_each(|chunk| {
            for value in chunk {
                let mut x = medium_step(*value);
                // Keeps iterations from being computed several at a time.
                unsafe { std::arch::asm!("/* {0} */", inout(reg) x, options(nomem, nostack)) };
                *value = x;
            }
        });
    }
}

trait DivCeil {
    fn div_ceil_by(self, pieces: usize) -> usize;
}
impl DivCeil for usize {
    fn div_ceil_by(self, pieces: usize) -> usize {
        (self + pieces - 1) / pieces
    }
}

extern "C" fn run_loops(args: *mut Args) {
    inside(args, |args| run_loop(args, loop_once));
}

extern "C" fn triad_once(_: *mut c_void, triad: *const Triad) {
    let triad = unsafe { &*triad };
    let array = |p| unsafe { std::slice::from_raw_parts_mut(p, triad.elements) };
    let (a, b, c) = (array(triad.a), array(triad.b), array(triad.c));
    let (scale, filling) = (triad.scale, triad.filling != 0);
    let piece = triad.elements.div_ceil_by(rayon::current_num_threads());
    a.par_chunks_mut(piece)
        .zip(b.par_chunks_mut(piece))
        .zip(c.par_chunks_mut(piece))
        .enumerate()
        .for_each(|(number, ((a, b), c))| {
            if filling {
                for (i, ((a, b), c)) in a.iter_mut().zip(b).zip(c).enumerate() {
                    *a = 0.0;
                    *b = ((number * piece + i) % 1024) as f64;
                    *c = 2.0;
                }
            } else {
                for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                    *a = *b + scale * *c;
                }
            }
        });
}

extern "C" fn run_triads(args: *mut Args) {
    inside(args, |args| run_triad(args, triad_once));
}

// --- submits from outside -------------------------------------------------------------------------

fn pool() -> &'static ThreadPool {
    unsafe { &*THREAD_POOL.load(Ordering::Acquire) }
}

extern "C" fn create(workers: u32, binding: c_int) {
    let pool = Box::new(build(workers as usize, binding));
    THREAD_POOL.store(Box::into_raw(pool), Ordering::Release);
}

extern "C" fn submit(_: u32, count: u64) {
    let pool = pool();
    for _ in 0..count {
        pool.spawn(count_one);
    }
}

/// One spawn from outside per batch; inside, the batch is a scope whose jobs go to the worker's deque.
extern "C" fn submit_batches(_: u32, count: u64, batch: u32) {
    let pool = pool();
    let mut left = count;
    while left > 0 {
        let size = left.min(batch as u64);
        left -= size;
        pool.spawn(move || {
            for _ in 1..size {
                rayon::spawn(count_one);
            }
            count_one();
        });
    }
}

extern "C" fn submit_one(function: Function, argument: *mut c_void) {
    let sent = Sent(argument);
    pool().spawn(move || function(sent.take()));
}

/// Dropping a pool only asks its threads to end; the exit handler tells when they have.
extern "C" fn destroy() {
    let workers = pool().current_num_threads();
    let pool = THREAD_POOL.swap(std::ptr::null_mut(), Ordering::AcqRel);
    drop(unsafe { Box::from_raw(pool) });
    while EXITED.load(Ordering::Acquire) < workers {
        std::thread::yield_now();
    }
    EXITED.store(0, Ordering::Relaxed);
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
            ("fib", run_fib),
            ("uts-t1", run_t1),
            ("uts-t3", run_t3),
            ("nqueens", run_queens),
            ("for-tiny", run_loops),
            ("for-medium", run_loops),
            ("triad", run_triads),
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
