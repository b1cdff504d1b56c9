"""MLflow's pages after a sweep of three widths, as a user has them: filtered, compared, drawn."""

import pytest
from mlflow import MlflowClient
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from study.tracking import Card, post, send_all
from tests.chromium import chromium, needs_chromium

pytestmark = needs_chromium
SCORES = {"width-5": 0.921, "width-10": 0.925, "width-15": 0.923}


@pytest.fixture
def swept(server, remote):
    """The runs' page of an experiment of three studies, with a method under each; the experiment's number."""
    for name, score in SCORES.items():
        params = {"kernel.width": int(name.removeprefix("width-")), "seed": 1}
        study = Card(study=name, kind="study", name=name, params=params)
        method = Card(study=name, kind="method", name="bsn", params=params, parent=study)
        post(remote, method, metrics={"pfcn/mean_iou": score}, artifacts={})
        post(remote, study, metrics={"bsn/mean_iou": score}, artifacts={})
    assert send_all(remote.outbox, remote.uri).failed == []
    number = MlflowClient(remote.uri).get_experiment_by_name(remote.experiment).experiment_id
    return f"{remote.uri}/#/experiments/{number}/runs"


def test_a_sweep_is_filtered_by_its_parameter_and_compared_in_parallel_coordinates(swept):
    with chromium() as browser:
        browser.set_window_size(1600, 1400)
        wait = WebDriverWait(browser, 90, ignored_exceptions=(StaleElementReferenceException, IndexError))

        def shown() -> set[str]:
            return {link.text.strip() for link in browser.find_elements(By.TAG_NAME, "a")} & set(SCORES)

        def selected(name: str) -> bool:
            """After a click on its box, which the page may have drawn anew meanwhile."""
            row = f"//a[normalize-space()='{name}']/ancestor::div[@role='row']"
            box = browser.find_element(By.XPATH, f"{row}//input[@type='checkbox']")
            if not box.is_selected():
                browser.execute_script("arguments[0].click()", box)
            return "ag-row-selected" in browser.find_element(By.XPATH, row).get_attribute("class")

        browser.get(swept)
        wait.until(lambda _: shown() == set(SCORES))
        box = browser.find_element(By.CSS_SELECTOR, "input[placeholder*='metrics.rmse']")
        for words, found in (("params.kernel.width = '15'", {"width-15"}), ("tags.kind = 'study'", set(SCORES))):
            box.click()
            box.send_keys(Keys.CONTROL, "a")
            box.send_keys(words)
            wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, "[role='listbox'], .ant-select-dropdown"))
            box.send_keys(Keys.ESCAPE, Keys.ENTER)  # without the suggestions
            wait.until(lambda _, found=found: shown() == found)

        for name in SCORES:
            wait.until(lambda _, name=name: selected(name))
        browser.find_element(By.XPATH, "//button[normalize-space()='Compare']").click()
        wait.until(lambda _: "Comparing 3 Runs" in browser.find_element(By.TAG_NAME, "body").text)
        axes = wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".parcoords .axis-title"))
        assert [axis.text for axis in axes] == ["kernel.width", "bsn/mean_iou"]
        assert browser.find_element(By.XPATH, "//*[normalize-space()='Parallel Coordinates Plot']").is_displayed()
