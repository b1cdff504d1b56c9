"""MLflow's web pages after a sweep of three widths: filter, comparison and parallel coordinates."""

import pytest
from mlflow import MlflowClient
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from study.tracking.runs import RunSpec, start_run
from study.tracking.sync import copy_runs
from tests.chromium import chromium, needs_chromium
from tests.study.tracking.conftest import client_of

pytestmark = needs_chromium
SCORES = {"width-5": 0.921, "width-10": 0.925, "width-15": 0.923}


@pytest.fixture
def swept(server, root):
    """URL of the runs page of an experiment with three studies of one method each, copied to the server."""
    for name, score in SCORES.items():
        params = {"kernel.width": int(name.removeprefix("width-")), "seed": 1}
        study = RunSpec(experiment="bsn-swept", study=name, kind="study", name=name, params=params)
        with start_run(study.child("method", "bsn", tags={})) as run:
            run.log_metrics({"pfcn/mean_iou": score})
        with start_run(study) as run:
            run.log_metrics({"bsn/mean_iou": score})
    assert copy_runs(client_of(root), root, server.uri).failed == []
    number = MlflowClient(server.uri).get_experiment_by_name("bsn-swept").experiment_id
    return f"{server.uri}/#/experiments/{number}/runs"


def test_a_sweep_is_filtered_by_its_parameter_and_compared_in_parallel_coordinates(swept):
    with chromium() as browser:
        browser.set_window_size(1600, 1400)
        wait = WebDriverWait(browser, 90, ignored_exceptions=(StaleElementReferenceException, IndexError))

        def shown() -> set[str]:
            return {link.text.strip() for link in browser.find_elements(By.TAG_NAME, "a")} & set(SCORES)

        def selected(name: str) -> bool:
            """Click the row's check box, which the page may have redrawn; return whether the row is selected."""
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
