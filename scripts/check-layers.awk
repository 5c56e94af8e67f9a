# The rules of scripts/check-layers, which see. Variable: layers, lowest first.

BEGIN {
    count = split(layers, names, " ")
    for (i = 1; i <= count; i++)
        rank[names[i]] = i
    split("ctype.h errno.h float.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h " \
          "stddef.h stdint.h stdio.h stdlib.h string.h strings.h", list, " ")
    for (i in list)
        plain[list[i]] = 1
    raw_atomic = "(^|[^A-Za-z0-9_])(_Atomic|__atomic_[a-z_]+|__sync_[a-z_]+|" \
                 "atomic_(load|store|exchange|compare_exchange|fetch|thread_fence|signal_fence|" \
                 "flag|init|is_lock_free)[a-z_]*|memory_order_[a-z_]+)([^A-Za-z0-9_]|$)"
    assembler = "(^|[^A-Za-z0-9_])(asm|__asm|__asm__)([^A-Za-z0-9_]|$)"
}

function wrong(why)
{
    printf "%s:%d: %s\n", FILENAME, FNR, why
    violations++
}

# The line without comments and without the inside of strings. Comment state runs across lines.
function code_of(line,    out, two, quote, c)
{
    out = ""
    while (line != "") {
        two = substr(line, 1, 2)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                line = substr(line, 3)
            } else
                line = substr(line, 2)
        } else if (two == "/*") {
            in_comment = 1
            line = substr(line, 3)
        } else if (two == "//")
            break
        else {
            c = substr(line, 1, 1)
            line = substr(line, 2)
            out = out c
            if (c == "\"" || c == "'") {
                quote = c
                while (line != "") {
                    c = substr(line, 1, 1)
                    if (c == "\\")
                        line = substr(line, 3)
                    else {
                        line = substr(line, 2)
                        if (c == quote)
                            break
                    }
                }
                out = out quote
            }
        }
    }
    return out
}

FNR == 1 {
    in_comment = 0
    split(FILENAME, part, "/")
    area = part[1]
    layer = area == "src" ? part[2] : ""
    if (area == "src" && !(layer in rank))
        wrong("src/" layer " is not a layer of src/CMakeLists.txt")
    atomic_seam = FILENAME == "src/base/atomic.h" || FILENAME == "include/numaperf/detail/atomic.h"
}

{
    in_comment_before = in_comment
    code = code_of($0)
}

!in_comment_before && /^[ \t]*#[ \t]*include/ {
    name = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
    form = substr(name, 1, 1)
    if (form == "\"" || form == "<") {
        name = substr(name, 2)
        sub(/[">].*/, "", name)
    }
    if (form == "\"")
        quoted(name)
    else if (form == "<")
        angled(name)
    else if (!atomic_seam)
        wrong("#include of a macro")
    next
}

function quoted(name,    from)
{
    if (area == "include")
        wrong("a public header includes with <>, not \"" name "\"")
    else if (area == "src") {
        from = name
        sub(/\/.*/, "", from)
        if (!(from in rank) || from == name)
            wrong("\"" name "\" is not written from src's root")
        else if (rank[from] > rank[layer])
            wrong("layer " layer " includes downward: \"" name "\"")
    } else if (name ~ /\//)
        wrong(area " includes \"" name "\": only public headers and files beside it")
}

function angled(name)
{
    if (name ~ /^hwloc/ || name == "numaperf/hwloc.h") {
        if (area == "src" ? layer != "topology" : area == "include" && FILENAME != "include/numaperf/hwloc.h")
            wrong("hwloc belongs to src/topology and numaperf/hwloc.h: <" name ">")
    } else if (name ~ /^numaperf\/detail\//) {
        if (area != "src" && area != "include")
            wrong(area " includes a header that is not for users: <" name ">")
    } else if (name ~ /^numaperf(\.h$|\/)/)
        return
    else if (name == "stdatomic.h" || name == "atomic") {
        if ((area == "src" || area == "include") && !atomic_seam)
            wrong("raw atomics: <" name ">, see base/atomic.h")
    } else if (name in plain)
        return
    else if (area == "include" || (area == "src" && layer != "os"))
        wrong("a system header outside src/os: <" name ">")
}

area == "src" || area == "include" {
    if (!atomic_seam && match(code, raw_atomic))
        wrong("raw atomics, see base/atomic.h: " code)
    if (layer != "base" && layer != "os" && match(code, assembler))
        wrong("assembler outside src/base and src/os")
}

area == "include" && code ~ /^[ \t]*#[ \t]*define[ \t]/ {
    name = code
    sub(/^[ \t]*#[ \t]*define[ \t]+/, "", name)
    if (name !~ /^(NP_|np_|NUMAPERF_)/)
        wrong("a public header defines a macro without the prefix: " name)
}

END { exit violations > 0 }
