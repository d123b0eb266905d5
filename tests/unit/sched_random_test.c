/* SPDX-License-Identifier: Apache-2.0 */
/* Random runs of the scheduler against a naive model, to the tick. */
#include "schedhost.h"

/* An array, in no order, where the scheduler has a heap. */
static struct model {
	struct {
		bool ready, woken;
		u64 vtime, since, ran, waited, worst, slice, left;
		u64 nr_wakes, preempted;
		u64 wakes[64];
		u32 weight;
	} v[NR_VCPUS];
	int queue[NR_VCPUS], nr, cur, preempted;
	bool resched, contended;
	u64 floor, armed, until;
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
static void model_settle(void)
{
	if (m.preempted < 0)
		return;
	m.v[m.preempted].left = 0;
	m.queue[m.nr++] = m.preempted;
	m.preempted = -1;
}
static void model_add(int i)
{
	if (m.preempted >= 0 && m.v[m.preempted].vtime > m.v[i].vtime)
		model_settle();
	m.queue[m.nr++] = i;
}
static bool model_contended(void)
{
	return m.nr || m.preempted >= 0;
}
static u64 model_least(void)
{
	u64 least = ~0UL;

	if (m.preempted >= 0)
		return m.v[m.preempted].vtime;
	for (int n = 0; n < m.nr; n++)
		least = min(least, m.v[m.queue[n]].vtime);
	return least;
}
static void model_wake(int i, bool far)
{
	bool first = !model_contended(), heavier;

	if (m.v[i].ready)
		return;
	m.v[i].ready = true;
	m.v[i].nr_wakes++;
	if (m.cur == i)
		model_charge();
	else if (first && m.cur >= 0) {
		model_charge();
		m.floor = max(m.floor, m.v[m.cur].vtime);
	}
	if (m.cur != i) {
		u64 credit = BONUS;

		/* None against a heavier one. */
		for (int n = 0; n < NR_VCPUS; n++)
			if (m.v[n].weight > m.v[i].weight)
				credit = 0;
		if (m.v[i].vtime + credit < m.floor)
			m.v[i].vtime = m.floor - credit;
		m.v[i].since = now;
		m.v[i].woken = true;
		m.v[i].left = 0;
		model_add(i);
	}
	if (m.cur >= 0 && !first && m.cur != i) {
		heavier = m.v[i].weight > m.v[m.cur].weight;
		if (!heavier || m.v[m.cur].vtime <= m.v[i].vtime)
			model_charge();
		if (m.v[m.cur].vtime <= m.v[i].vtime + (heavier ? 0 : GRAIN))
			return;
	}
	m.ipis += far && !m.resched;
	m.resched = true;
}
static void model_record(int i, u64 waited)
{
	unsigned int n = 0;

	while (waited >> (n + 1))
		n++;
	m.v[i].worst = max(m.v[i].worst, waited);
	m.v[i].wakes[n]++;
	m.v[i].woken = false;
}
/* What the scheduler chose is to be the next; of equals any. */
static void model_pick(int i)
{
	u64 waited = now - m.v[i].since;
	int n = 0;

	assert_int_equal(m.v[i].vtime, model_least());
	if (m.preempted >= 0) {
		assert_int_equal(i, m.preempted);
		m.preempted = -1;
	} else {
		while (m.queue[n] != i)
			assert_true(++n < m.nr);
		m.queue[n] = m.queue[--m.nr];
	}
	m.cur = i;
	m.v[i].waited += waited;
	if (m.v[i].woken)
		model_record(i, waited);
	m.v[i].since = now;
}
static void model_put(int i)
{
	m.v[i].preempted++;
	if (!m.v[i].left) {
		model_add(i);
		return;
	}
	model_settle();
	m.preempted = i;
}
static void model_look(int chosen)
{
	int was = m.cur;
	bool stays = was >= 0 && m.v[was].ready;

	if (!m.resched)
		return;
	model_charge();
	m.resched = false;
	if (was >= 0)
		m.v[was].left = m.until ? (m.until > now ? m.until - now : 0)
				: m.nr	? 0
					: m.v[was].slice;
	if (stays)
		model_settle();
	if (!model_contended() && !stays) {
		m.cur = -1;
	} else if (!stays || model_least() <= m.v[was].vtime) {
		model_pick(chosen);
		if (stays)
			model_put(was);
	}
	if (m.cur < 0 ? was >= 0 : !m.v[m.cur].left)
		m.floor = max(m.floor, m.v[m.cur < 0 ? was : m.cur].vtime);
	m.contended = m.cur >= 0 && model_contended();
	m.until = 0;
	if (m.contended)
		m.until = now + (m.v[m.cur].left ?: m.v[m.cur].slice);
	m.armed = m.until ?: OFF;
}
static void check_model(void)
{
	assert_int_equal(cpus[0].sched.resched, m.resched);
	assert_int_equal(hosts[0].armed, m.armed);
	assert_int_equal(hosts[0].nr_ipis, m.ipis);
	assert_ptr_equal(cpus[0].sched.running,
			 m.cur < 0 ? NULL : &vcpus[m.cur]);
	assert_int_equal(sched_is_contended(), model_contended());
	for (int i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(vcpus[i].sched.ready, m.v[i].ready);
		assert_int_equal(vcpus[i].sched.vtime, m.v[i].vtime);
		assert_int_equal(vcpus[i].sched.ran, m.v[i].ran);
		assert_int_equal(vcpus[i].sched.waited, m.v[i].waited);
		assert_int_equal(vcpus[i].sched.worst_wake, m.v[i].worst);
		assert_int_equal(vcpus[i].sched.nr_wakes, m.v[i].nr_wakes);
		assert_int_equal(vcpus[i].sched.nr_preempted, m.v[i].preempted);
		assert_memory_equal(vcpus[i].wakes, m.v[i].wakes,
				    sizeof(m.v[i].wakes));
	}
	if (m.cur >= 0) {
		assert_int_equal(books[m.cur].wfe, m.contended);
		assert_int_equal(books[m.cur].wfi, m.contended);
	}
}

/* A slice of virtual time at most. */
static void model_pass(void)
{
	u64 most;

	model_settle();
	model_charge();
	most = m.v[m.cur].vtime + m.v[m.cur].slice * 256 / m.v[m.cur].weight;
	m.v[m.cur].vtime = max(m.v[m.cur].vtime, min(model_least(), most));
	m.until = now;
	m.resched = true;
}

static void random_step(unsigned int *seed, bool races)
{
	int n = 2 + rand_r(seed) % 5, i = rand_r(seed) % n;
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
		if (m.cur < 0 || !model_contended())
			break;
		sched_pass(&vcpus[m.cur]);
		model_pass();
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
		m.cur = m.preempted = -1;
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
				model_look(runs());
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
