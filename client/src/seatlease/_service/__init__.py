"""Speaks to the service and to Firebase: requests, answers, sign-ins, keys, lease tokens, the device."""
