/*
 * model/runner.h - runs the cases of one program: the search of a tree to its end, or random
 * schedules, each with ordinary and with asymmetric fences where the case has fences.
 *
 * A case is a struct, built anew for each execution, with
 *   static constexpr const char *name;    "deque.last_one"
 *   static constexpr int threads;         2 to 4
 *   static constexpr int bound;           FULL: every schedule; n: those with n preemptions at most
 *   static constexpr bool fences;         it matters which fences there are
 *   void before(); void thread(unsigned index); void after();
 * and perhaps
 *   static constexpr int soak_bound;      what the soak searches, if not the same
 *
 * Program arguments: [--soak] [--list] the number of random schedules per case, then names of cases
 * or beginnings of names (none: all). FIRST=n begins with the n-th schedule, SEED=n runs that one
 * alone.
 */
#ifndef NPT_MODEL_RUNNER_H
#define NPT_MODEL_RUNNER_H

#include "model/core.h"

namespace np_model
{

constexpr int FULL = -1;
constexpr int RANDOM_ONLY = 0;

struct request {
    unsigned long long random; /* schedules per case */
    unsigned long long first;
    bool alone; /* only that one: a replay */
    bool soak, list;
    int names;
    char **name;
    bool failed;
    const char *program;
};

/* One execution's case, whatever its type. */
struct scenario {
    virtual void before() = 0;
    virtual void thread(unsigned index) = 0;
    virtual void after() = 0;
    virtual ~scenario() = default;
};

template <typename Case> struct scenario_of final : scenario {
    Case the;
    void before() override
    {
        the.before();
    }
    void thread(unsigned index) override
    {
        the.thread(index);
    }
    void after() override
    {
        the.after();
    }
};

struct case_info {
    const char *name;
    int threads;
    int bound;
    bool fences;
    scenario *(*build)(); /* in the model's memory */
};

template <typename Case> constexpr int bound_of(bool soak)
{
    if constexpr (requires { Case::soak_bound; })
        return soak ? Case::soak_bound : Case::bound;
    else
        return Case::bound;
}

request read_request(int argc, char **argv);
void run_case(request &r, const case_info &info);

template <typename... Cases> int main_of(int argc, char **argv)
{
    request r = read_request(argc, argv);
    (run_case(r, {Cases::name, Cases::threads, bound_of<Cases>(r.soak), Cases::fences,
                  []() -> scenario * { return make<scenario_of<Cases>>(); }}),
     ...);
    return r.failed ? 1 : 0;
}

} // namespace np_model

#endif
