/* progress.c: see progress.h. Characters every terminal has, no colours. */
#include "app/progress.h"

#include "base/units.h"

#define BAR_WIDTH 30

void progress_begin(struct progress *p, FILE *to, const char *label)
{
    *p = (struct progress){.to = to, .label = label, .percent = -1};
}

void progress_at(struct progress *p, uint64_t done, uint64_t size)
{
    int percent = size > 0 ? (int)((double)done / (double)size * 100) : 100;
    char bar[BAR_WIDTH + 1];
    char text[UNITS_TEXT_MAX];
    char total[UNITS_TEXT_MAX];

    if (!p->to || percent == p->percent) {
        return;
    }
    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i * 100 < percent * BAR_WIDTH ? '=' : ' ';
    }
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(p->to, "\r%s [%s] %3d %%  %s of %s  ", p->label, bar, percent,
                  units_bytes(done, text), units_bytes(size, total));
    (void)fflush(p->to);
    p->percent = percent;
    p->is_shown = true;
}

void progress_say(struct progress *p, const char *text)
{
    if (p->to) {
        (void)fprintf(p->to, "\r%s\x1b[K", text);
        (void)fflush(p->to);
        p->is_shown = true;
    }
}

void progress_end(struct progress *p)
{
    if (p->is_shown) {
        (void)fputs("\r\x1b[K", p->to);
        (void)fflush(p->to);
        p->is_shown = false;
    }
}
