import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { excerptOf, Markdown } from "./markdown.tsx";

const html = (text: string) => renderToStaticMarkup(<Markdown text={text} />);

describe("what people write, as elements", () => {
  test("emphasis, code, lists, quotes, tables", () => {
    expect(html("**a** _b_ ~~c~~ `d`")).toBe(
      "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>",
    );
    expect(html("- one\n- two")).toBe("<ul><li><p>one</p></li><li><p>two</p></li></ul>");
    expect(html("> quoted")).toContain("<blockquote>");
    expect(html("```\nlet x;\n```")).toBe("<pre><code>let x;</code></pre>");
    const table = html("|a|b|\n|-|-|\n|**1**|2|");
    expect(table).toContain('<th scope="col">a</th>');
    expect(table).toContain("<tbody><tr><td><strong>1</strong></td><td>2</td></tr></tbody>");
  });

  test("tasks say whether they are done; footnotes are what was written", () => {
    expect(html("- [x] tea\n- [ ] cake")).toBe(
      '<ul><li class="task-done"><p>tea</p></li><li class="task-open"><p>cake</p></li></ul>',
    );
    expect(html("tea[^1]\n\n[^1]: hot")).toContain("tea[^1]");
  });

  test("links open elsewhere and tell nothing; what is no web address is text", () => {
    expect(html("https://example.org")).toContain('href="https://example.org"');
    expect(html("https://example.org")).toContain('rel="noopener noreferrer nofollow"');
    for (const url of [
      "javascript:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc/passwd",
    ]) {
      expect(html(`[x](${url})`), url).not.toContain("<a");
      expect(html(`<${url}>`), url).not.toContain("<a");
    }
  });

  test("HTML is text, and remote images are links", () => {
    expect(html("<script>alert(1)</script>")).toContain("&lt;script&gt;");
    expect(html("a <b onclick=x>b</b>")).not.toContain("<b");
    expect(html("![pixel](https://tracker.example/p.png)")).not.toContain("<img");
  });

  test("P11: depth and marks are bounded, and nothing of the text is lost", () => {
    expect(html(`${">".repeat(400)} deep`)).toContain("deep");
    expect(html("*".repeat(5_000))).toBe(`<p class="plain">${"*".repeat(5_000)}</p>`);
  });
});

test("an excerpt is one line of what is read, without its marks", () => {
  expect(
    excerptOf("Clear sky from **22:40** on.\n\n- the `mount`\n- [maps](https://x.example)"),
  ).toBe("Clear sky from 22:40 on. the mount maps");
  expect(excerptOf("<b>bold</b>")).toContain("bold");
  expect(excerptOf("***")).toBe("***");
  expect(excerptOf(`${"*".repeat(5_000)} x`)).toHaveLength(122);
  expect([...excerptOf("🙂".repeat(900))]).toHaveLength(122);
});
