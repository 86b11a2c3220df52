//! How the page looks: pictures to be looked at, and what can be measured about them.

use serde_json::json;

use crate::browser::Browser;
use crate::served::Served;
use crate::states;

/// Texts whose colour is too close to what is behind them: less than 4.5 to 1.
const FAINT: &str = r#"(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen")) continue;
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${element.className}: ${element.textContent} ${contrast}`);
  }
  return faint;
})()"#;

/// Fields and buttons that have no name, and headings that skip a level.
const NAMELESS: &str = r#"(() => {
  const bad = [];
  for (const field of document.querySelectorAll("input"))
    if (!field.labels.length) bad.push(field.id);
  for (const button of document.querySelectorAll("button, a"))
    if (!(button.textContent.trim() || button.ariaLabel)) bad.push(button.outerHTML);
  for (const picture of document.querySelectorAll("svg"))
    if (!picture.ariaLabel && picture.ariaHidden !== "true") bad.push(picture.outerHTML);
  if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
  let last = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3")) {
    const level = Number(heading.tagName[1]);
    if (level > last + 1) bad.push(`${heading.tagName} ${heading.textContent}`);
    last = level;
  }
  return bad;
})()"#;

/// Looks at an address in both themes, wide and on a phone, and keeps a picture of each.
fn look(browser: &mut Browser, address: &str, name: &str) {
    for (scheme, width, height, place) in [
        ("light", 1200, 800, "light"),
        ("dark", 1200, 800, "dark"),
        ("light", 390, 844, "phone"),
    ] {
        browser.size(width, height);
        browser.prefer(scheme);
        browser.open(address);
        browser.wait("document.querySelector('#live')?.dataset.live === 'on'");
        browser.picture(&format!("{name}-{place}"), 2_400);
        let wide = browser.eval("document.documentElement.scrollWidth - window.innerWidth");
        assert!(
            wide.as_i64() <= Some(0),
            "{name} {place} is too wide by {wide}"
        );
        assert_eq!(browser.eval(FAINT), json!([]), "{name} {place}");
        assert_eq!(browser.eval(NAMELESS), json!([]), "{name} {place}");
    }
    browser.expect_no_errors();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_looks_right_in_both_themes_and_on_a_phone() {
    let served = Served::of(states::mixed()).await;
    let mut browser = Browser::start();
    for (path, name) in [
        ("/", "overview"),
        ("/connections/shop", "following"),
        ("/connections/shop-archive", "copying"),
        ("/connections/legacy-crm", "stuck"),
        ("/connections/orders-eu", "partial"),
        ("/connections/support", "fresh"),
    ] {
        look(&mut browser, &served.at(path), name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_looks_right() {
    let served = Served::of(Vec::new()).await;
    look(&mut Browser::start(), &served.address, "empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_connections_look_right_and_can_be_filtered() {
    let served = Served::of(states::many(500)).await;
    let mut browser = Browser::start();
    look(&mut browser, &served.address, "huge");
    browser.size(1200, 800);
    browser.open(&served.address);
    let shown = "[...document.querySelectorAll('[data-words]')].filter((row) => row.checkVisibility()).length";
    browser.wait(&format!("{shown} === 500"));
    browser.eval("document.querySelector('#find').focus()");
    browser.insert("TENANT-0107");
    browser.wait(&format!("{shown} === 1"));
    // What arrives live does not undo the filter.
    served.change("tenant-0001", |view| view.schedule = "every 9m".to_owned());
    browser.wait("document.querySelector('#line-tenant-0001').textContent.includes('every 9m')");
    assert_eq!(browser.eval(shown), json!(1));
    browser.insert(" nothing of that name");
    browser.wait("!document.querySelector('#none-found').hidden");
    browser.eval("document.querySelector('#find').value = ''");
    browser.click("[data-group=paused]");
    browser.wait(&format!("{shown} === 10"));
    browser.picture("huge-filtered", 2_400);
    browser.expect_no_errors();
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_names_is_shown_and_not_obeyed() {
    let served = Served::of(vec![states::hostile("shop")]).await;
    let mut browser = Browser::start();
    look(&mut browser, &served.address, "hostile");
    assert!(browser.text(".way").contains(states::HOSTILE));
    look(
        &mut browser,
        &served.at("/connections/shop"),
        "hostile-connection",
    );
    assert_eq!(browser.text("#streams .name"), states::HOSTILE);
    // What comes live is as careful.
    served.change("shop", |view| {
        view.reason = format!("again {}", states::HOSTILE);
    });
    browser.wait("document.querySelector('.now').textContent.startsWith('again')");
    assert!(browser.text(".now").contains(states::HOSTILE));
    assert_eq!(browser.eval("typeof window.broken"), json!("undefined"));
    assert_eq!(
        browser.eval("document.querySelectorAll('img').length"),
        json!(0)
    );
    browser.expect_no_errors();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_without_scripts() {
    let served = Served::of(states::mixed()).await;
    let mut browser = Browser::start();
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    for (path, name) in [
        ("/", "no-scripts"),
        ("/connections/shop", "no-scripts-connection"),
    ] {
        browser.open(&served.at(path));
        browser.picture(name, 2_400);
        let body = browser.eval("document.body.innerText");
        let body = body.as_str().unwrap();
        assert!(
            body.contains("Following") && body.contains(" ago"),
            "{body}"
        );
        // What would do nothing is not there.
        let buttons = "[...document.querySelectorAll('button, input')].filter((one) => one.checkVisibility()).length";
        assert_eq!(browser.eval(buttons), json!(0));
    }
    browser.expect_no_errors();
}
