"""The rooms of the management service; `service.py` puts them together."""
