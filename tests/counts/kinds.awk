# From a disassembly (objdump -d --no-show-raw-insn), the instructions that cores must agree about:
#
#   rmw    atomic read-modify-write: a lock prefix, or an exchange with memory (locked by itself)
#   fence  mfence, or the locked no-op on the top of the stack that compilers prefer to it
#
# usage: objdump -d --no-show-raw-insn OBJECT | awk -v object=OBJECT -f kinds.awk
# Prints "object address kind".

/^ *[0-9a-f]+:\t/ {
    address = $1
    sub(/:$/, "", address)
    if ($2 == "mfence" || ($2 == "lock" && $3 ~ /^or/ && $0 ~ /\$0x0,(0x[0-9a-f]+)?\(%[re]sp\)/))
        what = "fence"
    else if ($2 == "lock" || ($2 ~ /^xchg/ && $0 ~ /\(/))
        what = "rmw"
    else
        next
    # The processor may be told the prefix and the instruction at one address; valgrind does.
    print object, "0x" address, what
}
