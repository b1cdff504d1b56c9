"""The page in a headless Chromium, opened from its file: mouse, touch, keyboard and clicks."""

import json

import pytest
from PIL import Image
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from study import page
from study.page.comparison import compare
from study.tables.results import read_results
from study.tables.tables import paper_tables
from tests.chromium import chromium, needs_chromium
from tests.waiting import wait_until

FIGURES = [
    {"file": "figure2.jpg", "title": "Figure 2. Kernels", "caption": "How the kernels come about."},
    {"file": "curves.png", "title": "Training curves", "caption": "Segmentation loss in training."},
]
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture
def site(run):
    """Folder of `index.html` and its images: four test photos, seven methods, two figures."""
    reports = run / "reports"
    (reports / "figures").mkdir(parents=True)
    for figure in FIGURES:
        Image.new("RGB", (1600, 700), "orange").save(reports / "figures" / figure["file"])
    results = read_results(
        run / "metrics", run / "data/portraits", profile="sketch", drawn=True, seed=1, min_face=0.1, min_on_mask=0.5
    )
    for table in paper_tables(results):
        table.write(reports)
    shown = page.sized(FIGURES, reports / "figures")
    compared = compare(results, run / "data/portraits", run / "data/predictions", reports / "compare")
    page.write(page.render(results, shown, {"Profile": "sketch"}, compared), reports / "index.html")
    return reports


@pytest.fixture
def opened(browser, site):
    """The page open in a desktop-sized window; at the end, its console is empty and all its requests were local."""
    set_window(browser, 1280, 900)
    set_colours(browser, "light")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get((site / "index.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []
    assert {address.split(":")[0] for address in asked_for(browser)} <= {"file", "data"}


def set_window(browser, width: int, height: int, *, mobile: bool = False) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})


def set_colours(browser, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def asked_for(browser) -> list[str]:
    """URLs that the page requested since the log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def find(browser, selector: str):
    return browser.find_element(By.CSS_SELECTOR, selector)


def split(browser) -> float:
    """Divider position on the screen, in percent of the photo's width."""
    script = """
        const stage = document.querySelector(".stage").getBoundingClientRect();
        const line = document.querySelector(".divider").getBoundingClientRect();
        return 100 * (line.left + line.width / 2 - stage.left) / stage.width;
    """
    return browser.execute_script(script)


def clips(browser) -> list[str]:
    """Computed clip-path of the left and of the right mask."""
    script = """return [".left", ".right"].map(
        (name) => getComputedStyle(document.querySelector(".stage " + name)).clipPath)"""
    return browser.execute_script(script)


def shown(browser) -> list[str]:
    """The stage's three images as `<photo>/<file>`, once they are loaded."""
    script = "return [...document.querySelectorAll('.stage img')].every((one) => one.complete && one.naturalWidth > 0)"
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(script))
    sources = [image.get_attribute("src") for image in browser.find_elements(By.CSS_SELECTOR, ".stage img")]
    return ["/".join(source.split("/")[-2:]) for source in sources]


def test_dragging_with_the_mouse_moves_the_divider_and_the_clip_paths(opened):
    stage = find(opened, ".stage")
    assert split(opened) == pytest.approx(50, abs=0.5)
    before = clips(opened)
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", stage)
    quarter = stage.size["width"] / 4
    ActionChains(opened).move_to_element(stage).click_and_hold().move_by_offset(-int(quarter), 20).release().perform()
    assert split(opened) == pytest.approx(25, abs=0.6)
    assert clips(opened) != before
    # After the release, the mouse no longer moves it.
    ActionChains(opened).move_by_offset(30, 0).perform()
    assert split(opened) == pytest.approx(25, abs=0.6)


def test_each_side_of_the_divider_shows_its_own_method(opened):
    stage = find(opened, ".stage")
    range_of = find(opened, ".stage input")
    range_of.send_keys(Keys.END)
    assert split(opened) == pytest.approx(100, abs=0.5)
    Select(find(opened, "#left")).select_by_value("truth")
    Select(find(opened, "#right")).select_by_value("graph_cut")
    shown(opened)
    truth = stage.screenshot_as_png
    range_of.send_keys(Keys.HOME)
    assert split(opened) == pytest.approx(0, abs=0.5)
    assert stage.screenshot_as_png != truth


def test_the_keyboard_moves_the_divider(opened):
    find(opened, ".stage input").send_keys(Keys.ARROW_RIGHT * 20)
    assert split(opened) == pytest.approx(52, abs=0.3)
    before = clips(opened)
    find(opened, ".stage input").send_keys(Keys.PAGE_DOWN)
    assert split(opened) < 50
    assert clips(opened) != before


def test_touch_moves_the_divider_on_a_phone(opened):
    set_window(opened, 390, 844, mobile=True)
    stage = find(opened, ".stage")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", stage)
    finger = ActionBuilder(opened, mouse=PointerInput(POINTER_TOUCH, "finger"))
    finger.pointer_action.move_to(stage).pointer_down().move_to(stage, int(stage.size["width"] * 0.3), 0).pointer_up()
    finger.perform()
    assert split(opened) == pytest.approx(80, abs=1)


def test_other_methods_and_photos_can_be_chosen(opened):
    first, *others = opened.find_elements(By.CSS_SELECTOR, ".thumbs button")
    photo = first.get_attribute("value")
    assert shown(opened) == [f"{photo}/photo.jpg", f"{photo}/portrait_deeplab.png", f"{photo}/bsn.png"]
    Select(find(opened, "#left")).select_by_visible_text("Truth")
    Select(find(opened, "#right")).select_by_visible_text("PortraitFCN+")
    assert shown(opened) == [f"{photo}/photo.jpg", f"{photo}/truth.png", f"{photo}/portrait_fcn.png"]
    assert find(opened, ".tag.from").text == "Truth"
    assert find(opened, ".scores .shown th").text == "PortraitFCN+"
    for other in others:
        opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", other)
        other.click()
        photo = other.get_attribute("value")
        assert shown(opened) == [f"{photo}/photo.jpg", f"{photo}/truth.png", f"{photo}/portrait_fcn.png"]
        pressed = opened.find_elements(By.CSS_SELECTOR, '.thumbs [aria-pressed="true"]')
        assert [button.get_attribute("value") for button in pressed] == [photo]
        assert photo in find(opened, ".rule").text


def test_the_score_table_shows_the_ious_of_the_chosen_photo(opened, site):
    comparison = json.loads((site / "compare/compare.json").read_text("utf-8"))
    for photo, thumb in zip(comparison["photos"], opened.find_elements(By.CSS_SELECTOR, ".thumbs button"), strict=True):
        opened.execute_script("arguments[0].click()", thumb)
        told = [cell.text for cell in opened.find_elements(By.CSS_SELECTOR, ".scores .iou")]
        assert told == [f"{100 * numbers['iou']:.1f}" for numbers in photo["scores"].values()]
        assert find(opened, ".rule b").text == photo["rule"]


def test_every_image_loads_without_changing_the_page_height(opened):
    height = "return document.documentElement.scrollHeight"
    before = opened.execute_script(height)
    opened.execute_script("document.querySelectorAll('img').forEach((image) => (image.loading = 'eager'))")
    images = "return [...document.querySelectorAll('main img')].map((one) => [one.src, one.naturalWidth])"
    complete = "return [...document.querySelectorAll('main img')].every((one) => one.complete)"
    wait_until(lambda: opened.execute_script(complete))
    assert [source for source, width in opened.execute_script(images) if not width] == []
    assert opened.execute_script(height) == before


def test_a_figure_opens_in_a_dialog_zooms_and_closes(opened):
    link = find(opened, "figure a")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", link)
    link.click()
    assert find(opened, "dialog").is_displayed()
    assert find(opened, "dialog img").get_attribute("src") == link.get_attribute("href")
    fitted = find(opened, "dialog img").size
    find(opened, "dialog img").click()
    assert find(opened, "dialog img").size["width"] > fitted["width"]
    find(opened, "dialog button").click()
    assert not find(opened, "dialog").is_displayed()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_horizontally(opened, width):
    set_window(opened, width, 844, mobile=width < 700)
    root = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    content, window = opened.execute_script(root)
    assert content <= window <= width
    # In a narrow window, the wide table scrolls by itself.
    table = "const box = document.querySelector('#table1 .scroll'); return box.scrollWidth > box.clientWidth"
    assert opened.execute_script(table) == (width < 1000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrast_is_at_least_4_5_in_light_and_dark_mode(opened, scheme):
    set_colours(opened, scheme)
    measured = opened.execute_script(CONTRASTS)
    assert len(measured) > 100
    assert [entry for entry in measured if entry["contrast"] < 4.5] == []
    dark = opened.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 29)"
    assert dark == (scheme == "dark")


def test_without_javascript_the_mask_is_shown_and_the_controls_are_hidden(opened, site):
    opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened.get((site / "index.html").as_uri())
        displayed = {name: find(opened, name).is_displayed() for name in (".stage .right", ".pickers", ".grip")}
    finally:
        opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert displayed == {".stage .right": True, ".pickers": False, ".grip": False}


# For each element with text of its own: WCAG contrast of its colour with the first opaque background behind it.
CONTRASTS = """
    const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        paint.clearRect(0, 0, 1, 1);
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        return paint.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (colour) => {
        const [r, g, b] = [...colour.slice(0, 3)].map((value) => value / 255)
            .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let box = element; box; box = box.parentElement) {
            const colour = rgba(getComputedStyle(box).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgba("white");
    };
    return [...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility() && !element.closest("script, option"))
        .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((element) => {
            const [light, dark] = [rgba(getComputedStyle(element).color), ground(element)]
                .map(luminance).sort((a, b) => b - a);
            return {element: element.outerHTML.slice(0, 80), contrast: (light + 0.05) / (dark + 0.05)};
        });
"""
