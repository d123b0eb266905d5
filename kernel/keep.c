/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kept log. The region has two halves, of which each boot takes the older
 * one, so that the last boot's stays readable. A half is a header and a ring
 * of slots, each of one cache line with a CRC of its own: whatever a reset
 * cuts, or memory loses, costs that slot. Nothing in the region is trusted.
 */
#include <skerry/keep.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/fmt.h>
#include <skerry/machine.h>
#include <skerry/string.h>

#define KEEP_MIN (16 * KIB)
#define KEEP_MAX (64 * KIB)
#define VERSION	 2

struct header {
	char magic[8];
	u32 version, size; /* of the half */
	u32 boot;	   /* counts on from the last one's */
	u32 crc;	   /* of what precedes it */
};

struct slot {
	u32 crc; /* of what follows, begun with the boot's number */
	u32 seq; /* modulo the number of slots, its place */
	u8 len, flags;
	char text[54];
};
static_assert(sizeof(struct slot) == 64, "a cache line, on all known cores");

#define SLOT_FIRST BIT(0) /* of a line */
#define SLOT_LAST  BIT(1)
#define SLOT_PANIC BIT(2)

/* A half; slot 0 is the header's place. */
struct half {
	struct slot *slots; /* NULL: nothing is kept */
	u32 boot;
	u32 seq; /* this boot's: the next one; the last boot's: its first */
};

static struct {
	u32 nr; /* slots of a half, without the header's */
	bool panic;
	struct half this, last;
} keep;

/* CRC-32 of IEEE 802.3, as zlib's crc32(). */
static u32 crc32(u32 crc, const void *data, size_t n)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const u8 *p = data;

	for (crc = ~crc; n--; p++) {
		crc = table[(crc ^ *p) & 15] ^ crc >> 4;
		crc = table[(crc ^ *p >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

static u32 slot_crc(u32 boot, const struct slot *s)
{
	return crc32(boot, &s->seq, sizeof(*s) - sizeof(s->crc));
}

static struct header make_header(u32 boot)
{
	struct header h = {"SKERRYK", VERSION,
			   (keep.nr + 1) * (u32)sizeof(struct slot), boot, 0};

	h.crc = crc32(0, &h, offsetof(struct header, crc));
	return h;
}

/* A copy, so that what was checked is what is used. */
static bool read_slot(const struct half *h, u32 place, struct slot *s)
{
	memcpy(s, &h->slots[1 + place], sizeof(*s));
	return s->len && s->len <= sizeof(s->text) &&
	       s->seq % keep.nr == place && s->crc == slot_crc(h->boot, s);
}

/* The half that the last boot wrote, if any; its boot's number or 0. */
static u32 find_last(struct slot *slots)
{
	u32 last = 0;

	for (unsigned int i = 0; i < 2; i++, slots += keep.nr + 1) {
		struct header h, want;

		memcpy(&h, slots, sizeof(h));
		want = make_header(h.boot);
		if (!h.boot || memcmp(&h, &want, sizeof(h)) ||
		    (last && (s32)(h.boot - last) < 0))
			continue;
		last = h.boot;
		keep.last = (struct half){slots, last, 0};
	}
	return last;
}

/* The oldest slot of the ring follows the newest one. */
static void find_first(struct half *h)
{
	struct slot s;
	u32 newest = 0;

	for (u32 i = 0; i < keep.nr; i++)
		if (read_slot(h, i, &s))
			newest = max(newest, s.seq);
	h->seq = newest + 1;
}

/* An empty half. Cut before its end, there is none. */
static void begin_half(struct slot *slots, u32 boot)
{
	struct header h = make_header(boot);

	cache_zero_clean(slots, (keep.nr + 1) * sizeof(*slots));
	memcpy(slots, &h, sizeof(h));
	cache_clean_inval(slots, sizeof(h));
	keep.this = (struct half){slots, boot, keep.nr};
}

static bool map_region(void)
{
	u64 base = align_up(machine.kept.base, PAGE_SIZE);
	u64 end = align_down(machine.kept.base + machine.kept.size, PAGE_SIZE);
	u64 size = min(end - base, KEEP_MAX);

	if (!machine.kept.size) {
		log_at(LOG_DEBUG,
		       "reserved-memory: no \"ramoops\": no log is kept");
		return false;
	}
	if (end < base + KEEP_MIN || mmu_map_direct(PADDR(base), size)) {
		log_warn("ramoops: reg: not 16 KiB of free pages: no log is kept");
		return false;
	}
	keep.nr = (u32)(size / 2 / sizeof(struct slot)) - 1;
	return true;
}

/* The board's reason, then what the region tells. */
static void tell_reset(const char *reason, u32 last)
{
	char kept[32] = "cold or unknown";

	if (last)
		fmt_snprintf(kept, sizeof(kept), "warm, boot %u",
			     keep.this.boot);
	if (reason)
		log_line("reset: %s (%s)", reason, kept);
	else
		log_line("reset: %s", kept);
}

static void tell(const char *reason, u32 last)
{
	char r[LOG_RECORD];
	bool panic, panicked = false;
	u32 nr = 0;

	tell_reset(reason, last);
	if (!last)
		return;
	for (u32 pos = 0; keep_read(&pos, r, &panic); nr++) {
		if (!panic)
			continue;
		if (!panicked)
			log_warn("last boot panicked:");
		panicked = true;
		log_warn("| %s", r + LOG_TEXT);
	}
	if (!panicked)
		log_line("last boot: %u lines kept, see `lastlog`", nr);
}

void keep_init(const char *reason)
{
	struct slot *slots;
	char r[LOG_RECORD];
	u32 last;

	if (!map_region()) {
		if (reason)
			log_line("reset: %s", reason);
		return;
	}
	slots = direct_ptr(PADDR(align_up(machine.kept.base, PAGE_SIZE)));
	last = find_last(slots);
	if (last)
		find_first(&keep.last);
	if (keep.last.slots == slots)
		slots += keep.nr + 1;
	begin_half(slots, last + 1 ?: 1);
	for (u32 pos = log_end() + 1; log_read(&pos, r);)
		keep_line(r);
	tell(reason, last);
}

bool keep_is_cold(void)
{
	return !keep.last.slots;
}

void keep_panic(void)
{
	keep.panic = true;
}

void keep_line(const char *text)
{
	struct slot *slots = keep.this.slots;
	size_t len = strlen(text);
	u32 nr = (u32)((len + sizeof(slots->text) - 1) / sizeof(slots->text));
	u8 flags = SLOT_FIRST | (keep.panic ? SLOT_PANIC : 0);
	u32 seq;

	if (!slots)
		return;
	/* CPUs that panic at once take different slots. */
	seq = __atomic_fetch_add(&keep.this.seq, nr, __ATOMIC_RELAXED);
	for (; nr--; seq++) {
		struct slot *to = &slots[1 + seq % keep.nr],
			    s = {0, seq, 0, 0, ""};

		s.len = (u8)min(len, sizeof(s.text));
		memcpy(s.text, text, s.len);
		text += s.len;
		len -= s.len;
		s.flags = (u8)(flags | (nr ? 0 : SLOT_LAST));
		flags &= (u8)~SLOT_FIRST;
		s.crc = slot_crc(keep.this.boot, &s);
		memcpy(to, &s, sizeof(s));
		/* A reset loses what is in the caches only. */
		cache_clean_inval(to, sizeof(*to));
	}
}

/* As a line of the log; what is not printable is not printed. */
static bool check_line(char *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r[i] < ' ' || r[i] > '~')
			r[i] = '?';
	r[n] = 0;
	return n >= LOG_TEXT && *r >= '0' && *r < '0' + NR_LOG_LEVELS;
}

/* From *pos on, up to a line's end or what is left of it. */
static size_t join(u32 *pos, char *r, bool *panic)
{
	size_t n = 0;
	struct slot s;

	while (*pos < keep.nr) {
		bool ok = read_slot(&keep.last,
				    (keep.last.seq + *pos) % keep.nr, &s);
		size_t len = min((size_t)s.len, LOG_RECORD - 1 - n);

		if (n && (!ok || (s.flags & SLOT_FIRST)))
			break;
		++*pos;
		if (!ok || !(n || (s.flags & SLOT_FIRST)))
			continue;
		memcpy(r + n, s.text, len);
		n += len;
		*panic = s.flags & SLOT_PANIC;
		if (s.flags & SLOT_LAST)
			break;
	}
	return n;
}

bool keep_read(u32 *pos, char r[LOG_RECORD], bool *panic)
{
	size_t n;

	if (!keep.last.slots)
		return false;
	while ((n = join(pos, r, panic)))
		if (check_line(r, n))
			return true;
	return false;
}
