#!/bin/sh
# Goal: the checks of the guides find what is wrong in a guide, and say where.
# Method: a copy of the guides gets one fault after the other.
# usage: test_docs_checks.sh CC CXX SOURCE_DIR LIBRARY
set -eu
cc=$1 cxx=$2 source=$3 library=$4
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

good()
{
    rm -rf "$root/tree"
    mkdir "$root/tree"
    (cd "$source" && cp -R ./*.md CMakeLists.txt Makefile cmake docs examples include scripts src \
        "$root/tree/")
    mkdir "$root/tree/tests" "$root/tree/tools"
    cp -R "$source/tests/guest" "$root/tree/tests/"
}

# must_reject "what was planted" "what the output must say" check arguments...
must_reject()
{
    planted=$1 expected=$2
    shift 2
    if sh "$here/$1.sh" $(arguments "$1") >"$root/output" 2>&1; then
        echo "not rejected: $planted"
        failed=1
    elif ! grep -qF -e "$expected" "$root/output"; then
        echo "$planted: rejected, but without '$expected':"
        cat "$root/output"
        failed=1
    fi
    good
}

arguments()
{
    case $1 in
    code) echo "$cc $cxx $root/tree $library" ;;
    links) echo "$root/tree" ;;
    names) echo "$cc $root/tree" ;;
    esac
}

plant()
{
    cat >>"$root/tree/docs/$1"
}

good
printf '[gone](gone.md)\n' | plant executor.md
must_reject "a link to nowhere" "docs/executor.md: no such file: gone.md" links
printf '[gone](groups.md#gone)\n' | plant executor.md
must_reject "a link to no heading" "docs/executor.md: no such heading: groups.md#gone" links
printf '# New\n' | plant new.md
must_reject "a guide outside the index" "docs/README.md does not lead to new.md" links
printf 'int main(void) { return 0; }\n' >"$root/tree/examples/new.c"
must_reject "an example outside the index" "examples/README.md does not lead to new.c" links

sed -i 's/np_cpu_set_and_not/the other one/g' "$root/tree/docs/"*.md
must_reject "a function nobody explains" "    np_cpu_set_and_not" names
sed -i 's/NUMAPERF_SPIN_NS/…/g' "$root/tree/docs/"*.md
must_reject "a variable nobody explains" "    NUMAPERF_SPIN_NS" names
printf 'np_submit_quickly\n' | plant executor.md
must_reject "a function that does not exist" "    np_submit_quickly" names

printf '```c\nnp_submit(executor, work, argument);\n```\n' | plant executor.md
must_reject "an ignored status" "warn_unused_result" code
printf '```c\nstatic int broken(void)\n{\n    return np_unknown;\n}\n```\n' | plant executor.md
line=$(($(wc -l <"$source/docs/executor.md") + 4))
must_reject "code that does not compile" "docs/executor.md:$line:" code
printf '```c\nint main(void)\n{\n    return 1;\n}\n```\n' | plant executor.md
must_reject "a program that fails" "a program in docs/executor.md failed" code
printf '```cpp\nint *p = (void *)1;\n```\n' | plant executor.md
must_reject "C++ that does not compile" "docs/executor.md" code
printf '```c\nint x;\n' | plant executor.md
must_reject "a block without an end" "the code block is not closed" code
exit $failed
