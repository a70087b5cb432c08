package report_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// measured is what a browser says of the report in a window of that width.
type measured struct {
	Width    int      `json:"width"`
	Dark     bool     `json:"dark"`     // what the report believes
	Wanted   bool     `json:"wanted"`   // what it was told
	Overflow int      `json:"overflow"` // by how much the page is wider than its window
	Beyond   []string `json:"beyond"`   // texts of pictures that leave their picture
	Texts    int      `json:"texts"`
	Worst    float64  `json:"worst"` // lowest contrast of a text against what is behind it
	Where    string   `json:"where"`
	Smallest float64  `json:"smallest"` // smallest type, in pixels
	Rows     string   `json:"rows"`     // how the rows of the metrics are laid out
}

// measure runs in the page that holds the frames, never in a report.
const measure = `
const channel = x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
const numbers = s => (s.match(/[\d.]+/g) || []).map(Number);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const contrast = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05) };
function behind(view, e) {
  for (; e; e = e.parentElement) {
    const c = numbers(view.getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
}
function look(frame) {
  const view = frame.contentWindow, doc = frame.contentDocument, root = doc.documentElement;
  doc.querySelectorAll('details').forEach(d => d.open = true);
  const out = { width: root.clientWidth, dark: view.matchMedia('(prefers-color-scheme: dark)').matches, wanted: frame.dataset.dark === 'true',
    overflow: root.scrollWidth - root.clientWidth, beyond: [], texts: 0, worst: 99, where: '', smallest: 99,
    rows: view.getComputedStyle(doc.querySelector('.metrics tbody tr')).display };
  const walk = doc.createTreeWalker(doc.body, 4);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
    if (!text || ['title', 'desc', 'STYLE'].includes(e.tagName) || e.closest('.unseen')) continue;
    const style = view.getComputedStyle(e), drawn = e.ownerSVGElement;
    const ratio = contrast(numbers(drawn ? style.fill : style.color), behind(view, drawn || e));
    out.texts++;
    if (ratio < out.worst) { out.worst = ratio; out.where = text }
    let size = parseFloat(style.fontSize);
    if (drawn) {
      const box = e.getBoundingClientRect(), all = drawn.getBoundingClientRect(), ease = 1;
      if (box.left < all.left - ease || box.right > all.right + ease || box.top < all.top - ease || box.bottom > all.bottom + ease) out.beyond.push(text);
      size *= all.width / drawn.viewBox.baseVal.width;
    }
    out.smallest = Math.min(out.smallest, size);
  }
  return out;
}
window.onload = () => { document.getElementById('out').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(look)) };
`

// chromium finds the browser; without one the test is skipped by name, and fails where CI is true.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no chromium on this machine (apt-get install chromium)")
	}
	t.Skip("there is no chromium on this machine (apt-get install chromium)")
	return ""
}

// browse runs chromium without a window on a local page and returns what it prints.
func browse(t *testing.T, browser, page string, more ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir()}, more...)
	cmd := exec.CommandContext(ctx, browser, append(args, "file://"+page)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s", complaints.String())
	return out
}

func TestTheReportReadsOnEveryScreen(t *testing.T) {
	browser := chromium(t)
	srcdoc := html.EscapeString(render(t, samplePage()))
	var wrapper strings.Builder
	wrapper.WriteString("<!doctype html><meta charset=utf-8><pre id=out></pre>")
	widths := []int{320, 390, 768, 1280}
	for _, dark := range []bool{false, true} {
		for _, width := range widths {
			scheme := map[bool]string{false: "light", true: "dark"}[dark]
			fmt.Fprintf(&wrapper, `<iframe data-dark="%v" style="border:0;height:900px;width:%dpx;color-scheme:%s" srcdoc="%s"></iframe>`, dark, width, scheme, srcdoc)
		}
	}
	wrapper.WriteString("<script>" + measure + "</script>")
	path := filepath.Join(t.TempDir(), "wrapper.html")
	require.NoError(t, os.WriteFile(path, []byte(wrapper.String()), 0o600))
	dom := browse(t, browser, path, "--hide-scrollbars", "--virtual-time-budget=20000", "--dump-dom")
	found := regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`).FindSubmatch(dom)
	require.NotNil(t, found, "the page that measures did not load")
	var all []measured
	require.NoError(t, json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &all))
	require.Len(t, all, 2*len(widths))
	for i, m := range all {
		t.Run(fmt.Sprintf("%dpx dark=%v", widths[i%len(widths)], m.Wanted), func(t *testing.T) {
			require.Equal(t, widths[i%len(widths)], m.Width)
			require.Equal(t, m.Wanted, m.Dark, "the report follows the wish for dark")
			require.Zero(t, m.Overflow, "nothing makes the page wider than the window")
			require.Empty(t, m.Beyond, "no text leaves its picture")
			require.Greater(t, m.Texts, 300)
			require.GreaterOrEqual(t, m.Worst, 4.5, m.Where)
			require.GreaterOrEqual(t, m.Smallest, 8.5, "type is large enough to read")
			require.Equal(t, map[bool]string{true: "grid", false: "table-row"}[m.Width < 960], m.Rows, "rows fold on narrow screens")
		})
	}
}

func TestTheReportPrints(t *testing.T) {
	browser := chromium(t)
	dir := t.TempDir()
	page, paper := filepath.Join(dir, "report.html"), filepath.Join(dir, "report.pdf")
	require.NoError(t, os.WriteFile(page, []byte(render(t, samplePage())), 0o600))
	browse(t, browser, page, "--no-pdf-header-footer", "--print-to-pdf="+paper)
	pdf, err := os.ReadFile(paper)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(pdf), "%PDF-"))
	require.Greater(t, len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)), 1, "more than one page")
}
