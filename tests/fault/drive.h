/*
 * The driver: runs a case under a plan on a thread of its own, with a watchdog, and judges what
 * every case has in common.
 */
#ifndef NP_TESTS_FAULT_DRIVE_H
#define NP_TESTS_FAULT_DRIVE_H

#include "cases.h"

/* The command that replays a run begins with this. */
void fault_drive_begin(const char *program);

/* Another time than the usual one after which a run counts as hanging. */
void fault_watchdog(unsigned seconds);

/* For a run that the driver does not make: what fault_failed speaks of. */
void fault_drive_note(const fault_case *what, const inject_plan *plan);

/* Ends the process if anything is wrong. */
inject_outcome fault_drive(const fault_case *what, const inject_plan *plan);

/* All cases in a row; NULL behind the last one. */
const fault_case *fault_case_at(size_t index);

#endif
