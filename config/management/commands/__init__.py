"""`python manage.py serve`."""
