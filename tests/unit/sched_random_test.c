/* SPDX-License-Identifier: Apache-2.0 */
/* Random runs of the scheduler against a naive model, to the tick. */
#include "schedhost.h"

/* An array and linear search. */
static struct model {
	struct {
		bool ready, queued;
		u64 vtime, since, seq, ran, waited, worst, runs, slice;
		u32 weight;
	} v[NR_VCPUS];
	int cur;
	bool resched, contended;
	u64 floor, seq, armed, switches;
	unsigned int ipis;
} m;

static void model_charge(void)
{
	if (m.cur < 0)
		return;
	m.v[m.cur].ran += now - m.v[m.cur].since;
	m.v[m.cur].vtime += (now - m.v[m.cur].since) * 256 / m.v[m.cur].weight;
	m.v[m.cur].since = now;
}
static int model_first(void)
{
	int best = -1;

	for (int i = 0; i < NR_VCPUS; i++)
		if (m.v[i].queued && (best < 0 || m.v[i].vtime < m.v[best].vtime ||
				      (m.v[i].vtime == m.v[best].vtime &&
				       m.v[i].seq < m.v[best].seq)))
			best = i;
	return best;
}
static void model_wake(int i, bool far)
{
	bool first = model_first() < 0;
	s64 lead;

	if (m.v[i].ready)
		return;
	model_charge();
	m.v[i].ready = true;
	if (first && m.cur >= 0)
		m.floor = max(m.floor, m.v[m.cur].vtime);
	if (m.v[i].vtime + BONUS < m.floor)
		m.v[i].vtime = m.floor - BONUS;
	m.v[i].since = now;
	if (m.cur != i) {
		m.v[i].queued = true;
		m.v[i].seq = m.seq++;
	}
	if (m.cur >= 0 && !first) {
		lead = (s64)(m.v[m.cur].vtime - m.v[i].vtime);
		if (lead <= 0 ||
		    (lead <= (s64)GRAIN && m.v[i].weight <= m.v[m.cur].weight))
			return;
	}
	m.ipis += far && !m.resched;
	m.resched = true;
}
static void model_look(void)
{
	int was = m.cur;

	if (!m.resched)
		return;
	model_charge();
	m.resched = false;
	if (was >= 0 && m.v[was].ready) {
		m.v[was].queued = true;
		m.v[was].seq = m.seq++;
	}
	m.cur = model_first();
	m.armed = OFF;
	m.contended = false;
	if (m.cur < 0) {
		if (was >= 0)
			m.floor = max(m.floor, m.v[was].vtime);
		return;
	}
	m.v[m.cur].queued = false;
	m.floor = max(m.floor, m.v[m.cur].vtime);
	if (m.cur != was) {
		u64 waited = now - m.v[m.cur].since;

		m.v[m.cur].waited += waited;
		m.v[m.cur].worst = max(m.v[m.cur].worst, waited);
		m.v[m.cur].runs++;
		m.switches++;
	}
	m.v[m.cur].since = now;
	m.contended = model_first() >= 0;
	if (m.contended)
		m.armed = now + m.v[m.cur].slice;
}
static void check_model(void)
{
	assert_int_equal(cpus[0].sched.resched, m.resched);
	assert_int_equal(cpus[0].sched.nr_switches, m.switches);
	assert_int_equal(hosts[0].armed, m.armed);
	assert_int_equal(hosts[0].nr_ipis, m.ipis);
	assert_ptr_equal(cpus[0].sched.running,
			 m.cur < 0 ? NULL : &vcpus[m.cur]);
	assert_int_equal(sched_is_contended(), model_first() >= 0);
	for (int i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(vcpus[i].sched.ready, m.v[i].ready);
		assert_int_equal(vcpus[i].sched.vtime, m.v[i].vtime);
		assert_int_equal(vcpus[i].sched.ran, m.v[i].ran);
		assert_int_equal(vcpus[i].sched.waited, m.v[i].waited);
		assert_int_equal(vcpus[i].sched.worst_wait, m.v[i].worst);
		assert_int_equal(vcpus[i].sched.nr_runs, m.v[i].runs);
	}
	if (m.cur >= 0) {
		assert_int_equal(books[m.cur].wfe, m.contended);
		assert_int_equal(books[m.cur].wfi, m.contended);
	}
}

static void random_step(unsigned int *seed, bool races)
{
	int n = 2 + rand_r(seed) % 5, i = rand_r(seed) % n, next;
	bool far = rand_r(seed) & 1;

	switch (rand_r(seed) % 8) {
	case 0:
		/* One that never ends, else the CPU is idle at times. */
		if (m.cur < 0 || (!races && !m.cur))
			break;
		sched_block(&vcpus[m.cur]);
		m.v[m.cur].ready = false;
		m.resched = true;
		break;
	case 1:
		if (m.cur < 0 || model_first() < 0)
			break;
		sched_pass(&vcpus[m.cur]);
		model_charge();
		next = model_first();
		m.v[m.cur].vtime = max(m.v[m.cur].vtime, m.v[next].vtime);
		m.resched = true;
		break;
	case 2:
		now += (u64)rand_r(seed) % (m.cur < 0 ? SEC : SLICE);
		break;
	case 3:
		now += (u64)rand_r(seed) % 1000;
		break;
	case 4:
		if (m.armed != OFF)
			now = max(now, m.armed - (u64)rand_r(seed) % 2);
		break;
	default:
		/* Before the CPU looks at what blocked. */
		if (!races && m.cur == i)
			break;
		if (far)
			wake((unsigned int)i);
		else
			sched_wake(&vcpus[i]);
		model_wake(i, far);
	}
}

static void random_run(bool races)
{
	unsigned int seed = 7;

	for (unsigned int round = 0; round < 60; round++) {
		setup(NULL);
		memset(&m, 0, sizeof(m));
		m.cur = -1;
		m.armed = OFF;
		for (unsigned int i = 0; i < NR_VCPUS; i++) {
			/* No rounding; it is another test's. */
			m.v[i].weight = 1U << rand_r(&seed) % 9;
			m.v[i].slice = 10000 + (u64)rand_r(&seed) % SLICE;
			set(i, m.v[i].weight, m.v[i].slice);
		}
		wake(0);
		model_wake(0, true);
		for (unsigned int i = 0; i < 5000; i++) {
			if (rand_r(&seed) % 3) {
				m.resched |= m.armed <= now;
				model_look();
				runs();
			}
			check_model();
			random_step(&seed, races);
		}
	}
}
static void test_random(void **state)
{
	(void)state;
	random_run(false);
}
static void test_random_races(void **state)
{
	(void)state;
	random_run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),

		cmocka_unit_test_setup(test_random_races, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
