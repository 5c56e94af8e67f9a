# Turns the C of one page into C files. A block with a main() is a program of its own. All others
# become one file, in their order: a block that defines functions or types stands as it is, any other
# one is the body of a function. Line numbers lead back to the page.
# usage: awk -v out=PREFIX -v page=NAME -f extract.awk PAGE
# writes PREFIX.c, PREFIX-program-LINE.c, PREFIX-LINE.cpp
function flush_block(    name, text) {
    if (language == "cpp" || language == "c++") {
        name = out "-" first ".cpp"
        printf "#line %d \"%s\"\n%s", first, page, block > name
        close(name)
    } else if (block ~ /(^|\n)int main\(/) {
        name = out "-program-" first ".c"
        printf "#line %d \"%s\"\n%s", first, page, block > name
        close(name)
    } else if (block ~ /(^|\n)({\n|struct [a-z_]+ {|#(include|define)|typedef|static|_Static_assert)/) {
        printf "#line %d \"%s\"\n%s", first, page, block > (out ".c")
    } else {
        printf "void block_%d(void);\nvoid block_%d(void)\n{\n#line %d \"%s\"\n%s}\n", first, first,
            first, page, block > (out ".c")
    }
}
/^ *```/ {
    if (inside) {
        if (language == "c" || language == "cpp" || language == "c++")
            flush_block()
        inside = 0
    } else {
        inside = 1
        language = $1
        sub(/^ *```/, "", language)
        first = NR + 1
        block = ""
    }
    next
}
inside { block = block $0 "\n" }
END {
    if (inside) {
        printf "%s:%d: the code block is not closed\n", page, first - 1 > "/dev/stderr"
        exit 1
    }
}
