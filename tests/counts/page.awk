# The table of docs/costs.md from the limits of record.
#
# usage: awk -f page.awk LIMITS

BEGIN {
    words["outside"] = "a task from outside, `np_submit_to_node`"
    words["near"] = "the same, `np_submit`"
    words["batch"] = "the same in batches of 64, per task"
    words["copy"] = "the same with 40 bytes of copied argument"
    words["group"] = "the same into a group"
    words["data"] = "the same to its data, `np_submit_near` of a region"
    words["inside"] = "a task from a task, to its own node"
    words["fork"] = "`np_fork`, `np_join`, not stolen"
    words["fork-first"] = "the same, the oldest child"
    words["fast"] = "fast form, not stolen"
    words["fast-first"] = "the same, the oldest child"
    words["fib"] = "fib, per fork and all in all"
    words["for"] = "`np_parallel_for` of 1,024 indices, in one piece and in 64"
    words["steal"] = "fork, steal, join"
    words["count"] = "`np_sharded_counter_add`, a worker and a thread outside in turns"
    words["buffer"] = "`np_buffer_acquire`, `np_buffer_release`, own node"
    words["wake"] = "a task from outside, worker asleep"
    print "| path | step | instructions | of these, statistics | read-modify-writes | fences | system calls | allocations | lines | in turns |"
    print "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
}
/^#/ || NF == 0 { next }
{
    name = $1 in words ? words[$1] : $1
    printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, $2, $3, $4, $5, $6, $7, $8, $9, $10
}
