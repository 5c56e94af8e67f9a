#!/bin/sh
# Goal: no link of a guide leads nowhere, and every guide can be found from the index.
# Method: relative links must name an existing file, and after '#' a heading of it.
# usage: links.sh SOURCE_DIR
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The anchors of a page as GitHub makes them: lower case, blanks to '-', most punctuation dropped.
anchors()
{
    awk '/^```/ { code = !code } !code && /^#+ / { sub(/^#+ /, ""); print }' "$1" |
        tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

for page in *.md docs/*.md examples/*.md; do
    awk '/^ *```/ { code = !code } !code' "$page" | sed 's/`[^`]*`//g' |
        grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//' | while read -r link; do
        case $link in
        http://* | https://* | mailto:*) continue ;;
        esac
        file=${link%%#*} anchor=
        case $link in *'#'*) anchor=${link#*#} ;; esac
        target=$page
        [ -z "$file" ] || target=$(dirname "$page")/$file
        echo "$page" >>"$work/links"
        if [ ! -e "$target" ]; then
            echo "$page: no such file: $link" >>"$work/bad"
        elif [ -n "$anchor" ] && ! anchors "$target" | grep -qxF -e "$anchor"; then
            echo "$page: no such heading: $link" >>"$work/bad"
        fi
    done
done

for page in docs/*.md; do
    name=$(basename "$page")
    [ "$name" = README.md ] || grep -qF "]($name" docs/README.md ||
        echo "docs/README.md does not lead to $name" >>"$work/bad"
done
for file in examples/*.c; do
    name=$(basename "$file")
    grep -qF "]($name)" examples/README.md ||
        echo "examples/README.md does not lead to $name" >>"$work/bad"
done

[ -s "$work/links" ] || {
    echo "no link was found: the check itself is broken" >&2
    exit 1
}
echo "$(wc -l <"$work/links") links"
if [ -s "$work/bad" ]; then
    cat "$work/bad" >&2
    exit 1
fi
