#!/bin/sh
# Goal: scripts/setup installs exactly what is missing, says so first, does nothing when nothing is
# missing, works for root and through sudo, and fails clearly. Method: it runs in a world of its own:
# a PATH with a few real tools and stand-ins for dpkg-query, apt-get, apt-cache, id and sudo that keep
# the "installed packages" in a file and a log of what they were asked to do.
# usage: test_setup.sh SOURCE_DIR
set -eu
setup=$1/scripts/setup
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
bin=$world/bin
log=$world/log
failed=0
mkdir "$bin"
for tool in sh awk sed grep sort head env cat dirname; do
    ln -s "$(command -v $tool)" "$bin/$tool"
done

stand_in()
{
    { echo '#!/bin/sh' && cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}
stand_in dpkg-query <<'FAKE'
for package; do :; done
grep -qx "$package" "$WORLD/installed" && echo installed
FAKE
stand_in apt-cache <<'FAKE'
[ -e "$WORLD/lists" ]
FAKE
stand_in apt-get <<'FAKE'
echo "apt-get as ${BECAME:-user $USER_ID}: $*" >>"$WORLD/log"
[ "${BECAME:-}" = root ] || [ "$USER_ID" = 0 ] || exit 100
[ "${DEBIAN_FRONTEND:-}" = noninteractive ] || exit 101
case " $* " in
*" update "*) : >"$WORLD/lists" ;;
*" install "*)
    for package; do
        case $package in
        refused*) exit 100 ;;
        esac
    done
    for package; do
        case $package in
        -* | install | DPkg::*) ;;
        *) echo "$package" >>"$WORLD/installed" ;;
        esac
    done ;;
esac
FAKE
stand_in id <<'FAKE'
echo "$USER_ID"
FAKE
cat >"$world/sudo" <<'FAKE'
#!/bin/sh
[ "$1" = -n ] && shift
BECAME=root exec "$@"
FAKE
chmod +x "$world/sudo"

# begin ["installed packages"]: a fresh world, root, without sudo, with package lists.
begin()
{
    rm -f "$bin/sudo" "$log"
    : >"$log"
    printf '%s\n' $1 >"$world/installed"
    touch "$world/lists"
    cat >"$world/packages.txt" <<'LIST'
# section mark package why
build  needed   compiler  why
build  optional tables    why
test   needed   compiler  again
test   needed   checker   why
guest  optional refused-emulator why
guest  optional box       why
other  needed   refused-library  why
LIST
}

# run USER_ID arguments: leaves the exit code in $code and the output in $world/output.
run()
{
    user=$1
    shift
    code=0
    env -i PATH="$bin" WORLD="$world" USER_ID="$user" NP_PACKAGES_FILE="$world/packages.txt" \
        ${SKIP:+NP_SKIP_SETUP=1} "$bin/sh" "$setup" "$@" >"$world/output" 2>&1 </dev/null || code=$?
}

expect()
{
    what=$1
    shift
    if ! "$@" >/dev/null; then
        echo "$what: not so: $*"
        sed 's/^/    output: /' "$world/output"
        sed 's/^/    log: /' "$log"
        failed=1
    fi
}

begin "compiler tables"
run 0 build
expect "nothing missing" test $code = 0
expect "nothing missing, nothing said" test ! -s "$world/output"
expect "nothing missing, nothing done" test ! -s "$log"

begin "compiler"
run 0 build test
expect "some missing" test $code = 0
expect "says what is missing" grep -q 'missing: checker tables' "$world/output"
expect "says what it runs" grep -q 'running: apt-get install .* checker' "$world/output"
expect "installs the missing" grep -qx checker "$world/installed"
expect "leaves the installed alone" sh -c "! grep -q compiler '$log'"
run 0 build test
expect "the second time is quiet" test ! -s "$world/output"

begin ""
run 0 --dry-run build
expect "dry run" test $code = 0
expect "dry run says it" grep -q 'install .* compiler' "$world/output"
expect "dry run does nothing" test ! -s "$log"

begin ""
rm "$world/lists"
run 0 build
expect "no package lists" test $code = 0
expect "fetches them" grep -q 'update' "$log"
expect "and installs" grep -qx compiler "$world/installed"

begin ""
cp "$world/sudo" "$bin/sudo"
run 1000 build
expect "through sudo" test $code = 0
expect "as root" grep -q 'as root: .*install' "$log"
expect "and says so" grep -q 'running: sudo -n apt-get' "$world/output"

begin ""
run 1000 build
expect "no root, no sudo" test $code = 1
expect "names the command" grep -q 'apt-get install .*compiler' "$world/output"
expect "and does nothing" test ! -s "$log"

begin "compiler"
run 0 guest
expect "an optional package cannot be had" test $code = 0
expect "the others still come" grep -qx box "$world/installed"
expect "loudly" grep -q 'WARNING: .*refused-emulator' "$world/output"

begin ""
run 0 other
expect "a needed package cannot be had" test $code = 1
expect "says which" grep -q 'could not install: refused-library' "$world/output"

begin ""
run 0 nonsense
expect "unknown section" test $code = 1
expect "names the known ones" grep -q "no section 'nonsense'.*build guest other test" "$world/output"

begin ""
run 0 --nonsense
expect "unknown option" test $code = 1

begin ""
SKIP=1 run 0 build
expect "told to skip" test $code = 0
expect "says so" grep -q 'nothing is installed' "$world/output"
expect "does nothing" test ! -s "$log"

begin ""
rm "$bin/dpkg-query"
run 0 build
expect "not Debian" test $code = 1
expect "names the packages" grep -q 'compiler tables' "$world/output"

# The real list: every line well-formed, every section the Makefile asks for present.
awk '!/^#/ && NF { if (NF < 4 || $2 !~ /^(needed|optional)$/) { print FILENAME ": " $0; bad = 1 } }
    END { exit bad }' "$1/packages.txt" || failed=1
for section in $(sed -n 's/.*scripts\/setup \([a-z ]*\).*/\1/p' "$1/Makefile"); do
    grep -q "^$section " "$1/packages.txt" || {
        echo "the Makefile asks for section $section, which packages.txt does not have"
        failed=1
    }
done
exit $failed
