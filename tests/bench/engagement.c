/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The engagement kernel once more, in C: what the same algorithm costs when numba is not in between.
 * Flat and ball cutters, straight moves, no slices, one thread; see kernels/camtwin_kernels/engagement.py. */
#include <math.h>
#include <stdint.h>

#define CELLS 64
#define Q 16384.0
static const int32_t BIG = 1 << 30;
static inline float fpos(float a) { return a > 0 ? a : 0; }
static inline float fclamp(float t, float l) { t = t > 0 ? t : 0; return t < l ? t : l; }
static inline double dmin(double a, double b) { return a < b ? a : b; }
static inline double dmax(double a, double b) { return a > b ? a : b; }

typedef struct { int32_t total, right, left, highest, top; } Got;

#define TILE(name, slack, body)                                                                                             \
    static Got name(int32_t *restrict h, const float *restrict xs, const float *restrict ys, float u0, float w0,     \
                    float along, float across, float length, float r2, float lift, float slope, float corner,        \
                    float sine) {                                                                                    \
        Got g = {0, BIG, -BIG, -BIG, -BIG};                                                                          \
        for (int i = 0; i < CELLS; i++) {                                                                            \
            float u = u0 + xs[i] * along + ys[i] * across, w = w0 + ys[i] * along - xs[i] * across, deep, above;     \
            body;                                                                                                    \
            int32_t z = (int32_t)fpos(lift + above), before = h[i];                                                  \
            int is_cut = (deep >= 0) & (before > z + slack);                                                                \
            int32_t after = is_cut ? z : before, side = (int32_t)w;                                                  \
            h[i] = after;                                                                                            \
            g.total += before - after;                                                                               \
            int32_t a = is_cut ? side : BIG, b = is_cut ? side : -BIG, c = is_cut ? before : -BIG;                   \
            g.right = a < g.right ? a : g.right;                                                                     \
            g.left = b > g.left ? b : g.left;                                                                        \
            g.highest = c > g.highest ? c : g.highest;                                                               \
            g.top = after > g.top ? after : g.top;                                                                   \
        }                                                                                                            \
        return g;                                                                                                    \
    }

TILE(cut_flat, 0, deep = r2 - w * w - u * u; above = 0)
TILE(cut_ramp, 2, float q = u - fclamp(u, length); float rest = r2 - w * w; float rim = sqrtf(fpos(rest));
     above = slope * fclamp(slope > 0 ? u - rim : u + rim, length); deep = rest - q * q)
TILE(cut_sphere, 2, deep = r2 - w * w - u * u; above = corner - sqrtf(fpos(deep)))
TILE(cut_ball, 2, float rest = r2 - w * w; float t = fclamp(u - sqrtf(fpos(rest)) * sine, length); float q = u - t;
     deep = rest - q * q; above = corner + slope * t - sqrtf(fpos(deep)))

static double side_of(double radius, double back, double forward, double across) {
    return forward > 0 ? radius : dmin(radius, radius * fabs(across) - back * forward);
}

/* points (moves + 1, 3) [mm] from the stock's lower corner; steps (moves) per move; volume, top, right, left (all) */
void engage(int32_t *height, int32_t *tops, int64_t rows, int64_t columns, double cell, double highest,
            const float *xs, const float *ys, const double *points, const int64_t *steps, int64_t moves, int ball,
            double radius, int64_t *volume, int32_t *top, int32_t *right, int32_t *left, int32_t *list) {
    int32_t *li = list, *lj = list + rows * columns + 1, *lt = lj + rows * columns + 1;
    double width = 8 * cell, depth = 8 * cell, hx = width / 2, hy = depth / 2, corner = ball ? radius : 0;
    int64_t step = 0;
    for (int64_t m = 0; m < moves; m++) {
        const double *a = points + 3 * m, *b = a + 3;
        for (int64_t s = 0; s < steps[m]; s++, step++) {
            double f0 = (double)s / steps[m], f1 = (double)(s + 1) / steps[m];
            double x0 = a[0] + (b[0] - a[0]) * f0, y0 = a[1] + (b[1] - a[1]) * f0;
            double dx = (b[0] - a[0]) * (f1 - f0), dy = (b[1] - a[1]) * (f1 - f0);
            double z0 = (a[2] + (b[2] - a[2]) * f0) * Q, z1 = (a[2] + (b[2] - a[2]) * f1) * Q;
            if (dmin(z0, z1) >= highest * Q) continue;
            double zlow = dmin(z0, z1), length = hypot(dx, dy), ex = 1, ey = 0, slope = 0;
            int32_t low = (int32_t)dmax(floor(zlow + 0.5), 0);
            int contiguous = step > 0;
            if (length > 1e-9) { ex = dx / length; ey = dy / length; slope = (z1 - z0) / Q / length; }
            else { contiguous = contiguous && z1 >= z0; length = 0; z0 = z1 = zlow; }
            double sine = slope / sqrt(1 + slope * slope);
            double behind = slope >= 0 ? 0 : ball ? -radius * sine : radius;
            double ahead_of = slope <= 0 ? 0 : ball ? radius * sine : radius;
            double back = contiguous ? dmin(behind, radius) : radius;
            double west = x0 + dmin(dx, 0) - side_of(radius, back, -ex, ey);
            double east = x0 + dmax(dx, 0) + side_of(radius, back, ex, ey);
            double south = y0 + dmin(dy, 0) - side_of(radius, back, -ey, ex);
            double north = y0 + dmax(dy, 0) + side_of(radius, back, ey, ex);
            if (east < 0 || north < 0) continue;
            int64_t i0 = (int64_t)dmax(0, west / width), i1 = (int64_t)dmin(columns - 1, east / width);
            int64_t j0 = (int64_t)dmax(0, south / depth), j1 = (int64_t)dmin(rows - 1, north / depth);
            int64_t count = 0, work = 0;
            for (int64_t j = j0; j <= j1; j++)
                for (int64_t i = i0; i <= i1; i++) {
                    int32_t t = tops[j * columns + i];
                    li[count] = i; lj[count] = j; lt[count] = t;
                    count += t > low;
                }
            if (!count) continue;
            double inside2 = contiguous && !ball && slope >= 0 ? radius * radius : -1;
            double behind_it = contiguous ? back : 1e30;
            double hu = hx * fabs(ex) + hy * fabs(ey), hw = hx * fabs(ey) + hy * fabs(ex);
            for (int64_t k = 0; k < count; k++) {
                double cx = (li[k] + 0.5) * width - x0, cy = (lj[k] + 0.5) * depth - y0;
                double u = cx * ex + cy * ey, w = cy * ex - cx * ey;
                double du = dmax(fabs(u - dmin(dmax(u, 0), length)) - hu, 0), dw = dmax(fabs(w) - hw, 0);
                double deep = dmin((lt[k] - low) / Q, corner), reach = ball ? sqrt(deep * (2 * corner - deep)) : radius;
                double fx = fabs(cx) + hx, fy = fabs(cy) + hy;
                lt[k] = (du * du + dw * dw <= reach * reach) & (u + hu >= -behind_it * sqrt(dmax(1 - dw * dw / (radius * radius), 0)) - 1e-5) & (fx * fx + fy * fy >= inside2);
            }
            for (int64_t k = 0; k < count; k++) { li[work] = li[k]; lj[work] = lj[k]; work += lt[k]; }
            float along = ex * cell * Q, across = ey * cell * Q, r2 = radius * radius * (1 + 1e-6) * Q * Q;
            for (int64_t k = 0; k < work; k++) {
                int64_t t = (int64_t)lj[k] * columns + li[k];
                double ax = li[k] * width - x0, ay = lj[k] * depth - y0, u = ax * ex + ay * ey;
                float w0 = (ay * ex - ax * ey) * Q;
                int still = u + dmin(width * ex, 0) + dmin(depth * ey, 0) >= length + ahead_of;
                float u0 = (still ? u - length : u) * Q, lift = 0.5 + (still ? z1 : z0), run = still ? 0 : length * Q;
                Got g = (ball ? (still ? cut_sphere : cut_ball)
                              : (still ? cut_flat : cut_ramp))(
                    height + t * CELLS, xs, ys, u0, w0, along, across, run, r2, lift, slope, corner * Q, sine);
                if (!g.total) continue;
                tops[t] = g.top;
                volume[step] += g.total;
                right[step] = g.right < right[step] ? g.right : right[step];
                left[step] = g.left > left[step] ? g.left : left[step];
                top[step] = g.highest > top[step] ? g.highest : top[step];
            }
        }
    }
}
