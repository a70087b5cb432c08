// Package simulate draws cohorts from a model of our own whose joint distribution is known, so that every later stage can be
// held against the truth instead of against another sample.
//
// # The model
//
// σ(z) = 1/(1+exp(−z)), a = (age−65)/10, all draws independent given what is written.
//
// Person.
//
//	age at the first visit   P(age) ∝ exp(−(age−64)²/(2·16²)), age = 18 … 90 whole years
//	sex                      P(male) = 0.54
//	condition k = 1 … 16     P(c_k = 1) = σ(α_k + β_k a + γ_k male + Σ_{j<k} w_jk c_j)      (table: conditions.go)
//	burden                   B = Σ_k weight_k c_k
//	visits wanted            1 + min(Poisson(0.18 + 0.14 B), 7); a death ends the record earlier
//	gap before visit v > 1   days = exp(N(log 110 − 0.07 B, 1)), whole minutes, at least one hour
//
// Visit. Age grows with the calendar; a is that of the visit from here on. The reason r of the visit is drawn by softmax over
// score_r (reasons.go), which the conditions raise. Severity x(h) lives on a grid of one hour, on the log scale:
//
//	level      μ = −0.55 + 0.05 B + 0.04 a + 0.5 offset_r + N(0, 0.60²)       where the course is heading
//	admission  x(0) = 0.10 + 0.05 B + 0.06 a + offset_r + N(0, 0.50²)
//	course     x(h+1) = μ + 0.97 (x(h) − μ) + N(0, 0.10²)
//	stay       hours = exp(N(log 52 + 0.30 x(0) + 0.03 B, 0.45²)), held within 8 and 480, whole minutes
//	final      x(H), H = whole hours of the stay;  peak = max_h x(h)
//	death      P = σ(−3.3 + 0.40 a + 0.18 B + 2.0 x(H))   [MortalityProbability]
//
// Codes. First the reason, then acute complications, then every chronic condition of the person at every visit, then
// procedures and drugs; complication, procedure or drug i is written with probability σ(α_i + δ_i peak + Σ effects of reason
// and conditions) (items.go).
//
// Rows. A round of vitals is a Poisson process with rate 0.17 exp(0.35 x(h)) an hour; chemistry, blood count and blood gas
// are panels with rates 0.030 exp(0.6 x), 0.020 exp(0.5 x) and 0.012 exp(1.1 x), and chemistry and blood count are drawn once
// more on arrival. So sicker patients are measured more often: what is missing is not missing at random, and what belongs to
// one panel is missing together. A value follows x, the conditions and a personal level (variables.go); oxygen device follows
// x by an ordered logit, and FiO2 is exactly 21 % on room air.
//
// Labels. Death during the visit; stay longer than seven days (a function of the stay); sepsis (a function of the codes).
//
// # Determinism
//
// Patient i of a seed has a generator of its own, PCG keyed by SHA-256(seed, i): it is the same patient however many are
// asked for and in whichever order. Values are rounded to the decimals of their variable; floating point is that of the
// machine, so another processor architecture may round a value to its neighbour.
package simulate
