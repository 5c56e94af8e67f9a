/*
 * Running the numaperf tool on a machine.
 */
#ifndef NPT_MACHINES_TOOL_H
#define NPT_MACHINES_TOOL_H

/* Runs "numaperf info" in every form, with the environment as it is, or on the machine that
 * `option` and `value` name (--xml, --synthetic): exit code 0, JSON that parses, and nothing on the
 * standard error but the one line about a distance table that makes no sense. Does nothing if
 * NUMAPERF is not set. */
void npt_check_tool_on(const char *option, const char *value);

static inline void npt_check_tool(void)
{
    npt_check_tool_on((const char *)0, (const char *)0);
}

#endif
