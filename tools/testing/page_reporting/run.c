// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting in user space: the program that runs the suites.
 */
#include "kunit.h"

/* Xorshift: the same numbers in each run, from a state that is not 0. */
void prandom_seed_state(struct rnd_state *state, u64 seed)
{
	state->state = seed * 0x9e3779b97f4a7c15ULL | 1;
}

u32 prandom_u32_state(struct rnd_state *state)
{
	state->state ^= state->state << 13;
	state->state ^= state->state >> 7;
	state->state ^= state->state << 17;
	return state->state >> 32;
}

int main(int argc, char **argv)
{
	return kunit_run_all(argc > 1 ? argv[1] : NULL);
}
