"""YUV 4:2:0: conversion to and from RGB, and pictures kept as the codes of their video."""
