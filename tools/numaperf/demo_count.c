/*
 * demo_count.c - lines, words and bytes as wc counts them in the C locale, and merging the counts
 * of neighbouring chunks.
 *
 * A word is a run of bytes between white space that holds at least one printable character; other
 * bytes (control characters, anything above 0x7e) neither begin nor end one. So a chunk is
 * described by its counts and by whether the first and the last byte that matter are part of a
 * word: an associative summary, whatever the borders.
 */
#include "demo.h"

#include <string.h>

/* Bytes looked at without a branch: a multiple of every vector width, below the 256 that would
 * overflow the narrow sums. */
#define BLOCK 128u

typedef enum byte_class { CLASS_OTHER = 0, CLASS_SPACE, CLASS_WORD } byte_class;

static byte_class class_of(unsigned char byte)
{
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) {
        return CLASS_SPACE;
    }
    return byte > ' ' && byte < 0x7f ? CLASS_WORD : CLASS_OTHER;
}

/* The general way, byte by byte. `inside` is the state before and after. */
static void count_bytes(const unsigned char *data, size_t bytes, demo_piece *piece, bool *inside)
{
    for (size_t i = 0; i < bytes; i++) {
        byte_class class = class_of(data[i]);
        piece->counts.lines += data[i] == '\n' ? 1 : 0;
        if (class == CLASS_OTHER) {
            continue;
        }
        bool word = class == CLASS_WORD;
        if (!piece->matters) {
            piece->matters = true;
            piece->begins_inside = word;
        }
        piece->counts.words += word && !*inside ? 1 : 0;
        *inside = word;
    }
}

/*
 * A block of text: no bytes of class other, so that a word begins wherever a word byte follows
 * white space. Written for the compiler to turn into vector instructions. False, nothing counted,
 * if the block is not text.
 */
static bool count_block(const unsigned char *data, demo_piece *piece, bool *inside)
{
    unsigned char is_word[BLOCK + 1];
    unsigned char others = 0;
    unsigned char lines = 0;
    unsigned char words = 0;
    is_word[0] = *inside ? 1 : 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        unsigned char byte = data[i];
        unsigned char word = (unsigned char)(byte - 0x21) < 0x5e ? 1 : 0;
        unsigned char blank = (unsigned char)(byte - '\t') < 5 ? 1 : 0;
        unsigned char space = byte == ' ' ? 1 : 0;
        is_word[i + 1] = word;
        others |= (unsigned char)(1 ^ (word | blank | space));
        lines = (unsigned char)(lines + (byte == '\n' ? 1 : 0));
    }
    if (others != 0) {
        return false;
    }
    for (unsigned i = 0; i < BLOCK; i++) {
        words = (unsigned char)(words + (is_word[i + 1] & (1 ^ is_word[i])));
    }
    if (!piece->matters) {
        piece->matters = true;
        piece->begins_inside = is_word[1] != 0;
    }
    piece->counts.lines += lines;
    piece->counts.words += words;
    *inside = is_word[BLOCK] != 0;
    return true;
}

void demo_count(const unsigned char *data, size_t bytes, demo_piece *out)
{
    demo_piece piece;
    bool inside = false;
    memset(&piece, 0, sizeof piece);
    piece.counts.bytes = bytes;
    while (bytes >= BLOCK) {
        if (!count_block(data, &piece, &inside)) {
            count_bytes(data, BLOCK, &piece, &inside);
        }
        data += BLOCK;
        bytes -= BLOCK;
    }
    count_bytes(data, bytes, &piece, &inside);
    piece.ends_inside = inside;
    *out = piece;
}

void demo_merge(demo_file *file, const demo_piece *piece)
{
    file->counts.bytes += piece->counts.bytes;
    file->counts.lines += piece->counts.lines;
    file->counts.words += piece->counts.words;
    if (!piece->matters) {
        return;
    }
    if (file->in_word && piece->begins_inside) {
        file->counts.words--;
    }
    file->in_word = piece->ends_inside;
}
