"""For the teacher and the author: `authoring` makes notebooks, `sandbox` runs learners' code, `grading` judges it."""
