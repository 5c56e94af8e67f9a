/*
 * Goal: every status code has a name and a text, and the failure detail says all it was told, per
 * thread. Method: walks the X-macro lists; sets details of every kind, too long ones included.
 */
#include <errno.h>
#include <stdio.h>

#include <numaperf/types.h>

#include "base/status.h"
#include "base/tls.h"
#include "os/os.h"
#include "unit.h"

static void test_every_code_has_a_name_and_a_text(void **state)
{
    (void)state;
#define CHECK_ONE(name, value, text)                  \
    assert_string_equal(np_status_name(name), #name); \
    assert_string_equal(np_status_text(name), text);  \
    assert_true((value) < 0);
    NP_STATUS_MAP(CHECK_ONE)
#undef CHECK_ONE
    assert_string_equal(np_status_name(NP_OK), "NP_OK");
    assert_string_equal(np_status_text(NP_OK), "success");
    assert_string_equal(np_status_name((np_status)-9999), "NP_ERR_UNKNOWN");
    assert_string_equal(np_status_text((np_status)1), "unknown status");
}

static void test_codes_and_texts_are_distinct(void **state)
{
    (void)state;
#define LIST_TEXT(name, value, text)  text,
#define LIST_VALUE(name, value, text) value,
    static const char *const texts[] = {NP_STATUS_MAP(LIST_TEXT)};
    static const int values[] = {NP_STATUS_MAP(LIST_VALUE)};
#undef LIST_TEXT
#undef LIST_VALUE
    size_t count = sizeof texts / sizeof texts[0];
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(texts[i]) > 0);
        for (size_t k = i + 1; k < count; k++) {
            assert_string_not_equal(texts[i], texts[k]);
            assert_int_not_equal(values[i], values[k]);
        }
    }
}

static void test_names_of_the_small_enums(void **state)
{
    (void)state;
    assert_string_equal(np_enforcement_level_name(NP_ENFORCEMENT_STRICT), "strict");
    assert_string_equal(np_enforcement_level_name(NP_ENFORCEMENT_BEST_EFFORT), "best effort");
    assert_string_equal(np_enforcement_level_name(NP_ENFORCEMENT_NONE), "none");
    assert_string_equal(np_enforcement_level_name((np_enforcement_level)77), "unknown");
    assert_string_equal(np_hard_mode_name(NP_HARD_MODE_SOFT), "soft");
    assert_string_equal(np_hard_mode_name(NP_HARD_MODE_STRICT), "strict");
    assert_string_equal(np_hard_mode_name((np_hard_mode)2), "unknown");
    assert_string_equal(np_tier_name(NP_TIER_CACHE), "cache");
    assert_string_equal(np_tier_name(NP_TIER_NODE), "node");
    assert_string_equal(np_tier_name(NP_TIER_SOCKET), "socket");
    assert_string_equal(np_tier_name(NP_TIER_REMOTE), "remote");
    assert_string_equal(np_tier_name((np_tier)4), "unknown");
#define CHECK_REASON(name, text) assert_string_equal(np_reason_text(name), text);
    NP_REASON_MAP(CHECK_REASON)
#undef CHECK_REASON
    assert_string_equal(np_reason_text((np_reason)1000), "unknown reason");
}

static void test_version_of_header_and_library_agree(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", NP_VERSION_MAJOR, NP_VERSION_MINOR, NP_VERSION_PATCH);
    assert_string_equal(np_version_string(), text);
    assert_string_equal(NP_VERSION_STRING, text);
    assert_int_equal(np_version_number(), NP_VERSION_NUMBER);
}

static void test_detail_of_a_plain_failure(void **state)
{
    (void)state;
    assert_int_equal(npi_fail(NP_ERR_INVALID_NODE, "no node %d", 7), NP_ERR_INVALID_NODE);
    assert_string_equal(np_error_detail(), "no node 7");
    assert_int_equal(np_error_errno(), 0);
}

static void test_detail_of_a_system_call(void **state)
{
    (void)state;
    assert_int_equal(npi_fail_errno(NP_ERR_SYSTEM, EPERM, "mbind", "node %d", 3), NP_ERR_SYSTEM);
    assert_string_equal(np_error_detail(), "node 3: mbind: Operation not permitted (errno 1)");
    assert_int_equal(np_error_errno(), EPERM);
    /* A later failure without a system call forgets the errno. */
    (void)npi_fail(NP_ERR_CLOSED, "closed");
    assert_int_equal(np_error_errno(), 0);
}

static void test_words_in_front(void **state)
{
    (void)state;
    (void)npi_fail_errno(NP_ERR_SYSTEM, EINVAL, "madvise", "page %d", 1);
    assert_int_equal(npi_fail_more(NP_ERR_HARD_MODE, "worker %u", 5u), NP_ERR_HARD_MODE);
    assert_string_equal(np_error_detail(),
                        "worker 5: page 1: madvise: Invalid argument (errno 22)");
    assert_int_equal(np_error_errno(), EINVAL);
}

static void test_no_memory_names_bytes_and_purpose(void **state)
{
    (void)state;
    assert_int_equal(npi_fail_memory(4096, "a queue"), NP_ERR_NO_MEMORY);
    assert_string_equal(np_error_detail(), "no memory: 4096 bytes for a queue");
}

static void test_long_details_are_cut_but_closed(void **state)
{
    (void)state;
    char text[2 * NPI_DETAIL_CAPACITY];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)npi_fail(NP_ERR_PARSE, "%s", text);
    assert_int_equal(strlen(np_error_detail()), NPI_DETAIL_CAPACITY - 1);

    /* The call and its errno are worth more than the end of a long name. */
    (void)npi_fail_errno(NP_ERR_SYSTEM, ENOENT, "open", "%s", text);
    assert_true(strlen(np_error_detail()) < NPI_DETAIL_CAPACITY);
    assert_non_null(strstr(np_error_detail(), ": open: No such file or directory (errno 2)"));
    assert_int_equal(np_error_detail()[0], 'x');

    (void)npi_fail(NP_ERR_PARSE, "end");
    (void)npi_fail_more(NP_ERR_PARSE, "%s", text);
    assert_int_equal(strlen(np_error_detail()), NPI_DETAIL_CAPACITY - 1);

    text[NPI_DETAIL_CAPACITY - 8] = '\0';
    (void)npi_fail(NP_ERR_PARSE, "the cause that was there before");
    (void)npi_fail_more(NP_ERR_PARSE, "%s", text);
    assert_int_equal(strlen(np_error_detail()), NPI_DETAIL_CAPACITY - 1);
    assert_string_equal(np_error_detail() + NPI_DETAIL_CAPACITY - 8, ": the c");
}

typedef struct other {
    char before[8];
    char after[32];
} other;

static void fail_elsewhere(void *argument)
{
    other *self = argument;
    snprintf(self->before, sizeof self->before, "%s", np_error_detail());
    (void)npi_fail(NP_ERR_CLOSED, "in the other thread");
    snprintf(self->after, sizeof self->after, "%s", np_error_detail());
}

static void test_each_thread_has_its_own_detail(void **state)
{
    (void)state;
    (void)npi_fail(NP_ERR_PARSE, "mine");
    other seen;
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, fail_elsewhere, &seen), 0);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_string_equal(seen.before, "");
    assert_string_equal(seen.after, "in the other thread");
    assert_string_equal(np_error_detail(), "mine");
}

typedef struct heard {
    unsigned count;
    np_severity severity;
    char message[NPI_DETAIL_CAPACITY];
} heard;

static void hear(void *context, np_severity severity, const char *message)
{
    heard *self = context;
    self->count++;
    self->severity = severity;
    snprintf(self->message, sizeof self->message, "%s", message);
}

static void test_diagnostics_reach_the_handler(void **state)
{
    (void)state;
    heard first = {0};
    heard second = {0};
    npi_diagnose(NP_SEVERITY_ERROR, "nobody listens");
    np_set_diagnostic_handler(hear, &first);
    npi_diagnose(NP_SEVERITY_WARNING, "node %d is full", 2);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.severity, NP_SEVERITY_WARNING);
    assert_string_equal(first.message, "node 2 is full");
    np_set_diagnostic_handler(hear, &second);
    npi_diagnose(NP_SEVERITY_INFO, "again");
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 1);
    np_set_diagnostic_handler(NULL, NULL);
    npi_diagnose(NP_SEVERITY_INFO, "silence");
    assert_int_equal(second.count, 1);
}

static void test_diagnostics_leave_the_detail_alone(void **state)
{
    (void)state;
    heard first = {0};
    np_set_diagnostic_handler(hear, &first);
    (void)npi_fail(NP_ERR_PARSE, "kept");
    npi_diagnose(NP_SEVERITY_INFO, "said");
    assert_string_equal(np_error_detail(), "kept");
    np_set_diagnostic_handler(NULL, NULL);
}

/* A handler that knows its own context: a mixed pair would hand it the other one's. */
static char own_of[2];
static np_atomic(uint32_t) mixed;
static np_atomic(uint32_t) reports_over;

static void hear_first(void *context, np_severity severity, const char *message)
{
    (void)severity;
    (void)message;
    if (context != &own_of[0])
        (void)npi_fetch_add_relaxed(&mixed, 1u);
}

static void hear_second(void *context, np_severity severity, const char *message)
{
    (void)severity;
    (void)message;
    if (context != &own_of[1])
        (void)npi_fetch_add_relaxed(&mixed, 1u);
}

static void change_often(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; npi_load_relaxed(&reports_over) == 0; i++) {
        uint32_t which = i % 3 == 0; /* by threes: the library keeps two pairs in turn */
        np_set_diagnostic_handler(which ? hear_second : hear_first, &own_of[which]);
    }
}

static void test_a_handler_keeps_its_context(void **state)
{
    (void)state;
    npi_os_thread changer;
    np_set_diagnostic_handler(hear_first, &own_of[0]);
    assert_int_equal(npi_os_thread_start(&changer, 0, change_often, NULL), 0);
    for (int i = 0; i < 200000; i++)
        npi_diagnose(NP_SEVERITY_INFO, "whose?");
    npi_store_relaxed(&reports_over, 1u);
    npi_os_thread_join(&changer);
    np_set_diagnostic_handler(NULL, NULL);
    assert_int_equal(npi_load_relaxed(&mixed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_name_and_a_text),
        cmocka_unit_test(test_codes_and_texts_are_distinct),
        cmocka_unit_test(test_names_of_the_small_enums),
        cmocka_unit_test(test_version_of_header_and_library_agree),
        cmocka_unit_test(test_detail_of_a_plain_failure),
        cmocka_unit_test(test_detail_of_a_system_call),
        cmocka_unit_test(test_words_in_front),
        cmocka_unit_test(test_no_memory_names_bytes_and_purpose),
        cmocka_unit_test(test_long_details_are_cut_but_closed),
        cmocka_unit_test(test_each_thread_has_its_own_detail),
        cmocka_unit_test(test_diagnostics_reach_the_handler),
        cmocka_unit_test(test_diagnostics_leave_the_detail_alone),
        cmocka_unit_test(test_a_handler_keeps_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
