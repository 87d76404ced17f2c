try {
  if ($Help) {
    Get-Usage
    $run.Code = 0
    $run.Said = $true
    throw 'help'
  }
  if ("$($ExecutionContext.SessionState.LanguageMode)" -ne 'FullLanguage') {
    # There nearly nothing may be called, and so no key be checked.
    $run.Said = $true
    Write-Warning 'cannot_check: a policy of this host keeps PowerShell from checking keys; nothing was fetched'
    throw 'cannot_check'
  }
  # The line for 5.1 told the whole session to accept every certificate. That ends here.
  [Net.ServicePointManager]::ServerCertificateValidationCallback = $null
  if ($isDesktop) {
    $run.Protocols = [Net.ServicePointManager]::SecurityProtocol
    [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
  }

  if ($Rest) { Stop-Usage 'unexpected argument: every value has its flag before it, spelled as in -CaPin' }
  foreach ($name in @($bound.Keys)) {
    if ($bound[$name] -is [string] -and -not $bound[$name]) { Stop-Usage "-$name needs a value" }
  }
  $sources = @('Token', 'TokenFile', 'TokenPrompt' | Where-Object { $bound.ContainsKey($_) })
  if ($sources.Count -gt 1) { Stop-Usage "give one of -Token, -TokenFile and -TokenPrompt ($($sources[0]) came first)" }
  if ($Server) { $carried.Server = Get-Address '-Server' $Server '\A[A-Za-z0-9._:\[\]-]+\z' }
  if ($ApiAddr) {
    $carried.ApiAddr = Get-Address '-ApiAddr' ($ApiAddr.TrimEnd('/')) '\Ahttps://[A-Za-z0-9._:\[\]-]+\z'
  }
  if ($SigningPin) {
    if ($SigningPin -cnotmatch '\Asha256:[0-9A-Fa-f]{64}\z') {
      Stop-Usage '-SigningPin takes sha256: and 64 hexadecimal digits'
    }
    $SigningPin = $SigningPin.ToLowerInvariant()
  }

  # A token carries the pin of the CA that it is for, in base64url: the server put the same spelling into this script.
  $secret = Read-Token
  if ($secret) {
    if ($secret -cnotmatch '\Avgt1(\.[A-Za-z0-9_-]+){4}\z') {
      Stop-Run 2 'the token is not whole: it starts with vgt1. and has five parts' `
        'copy it again, all of it and nothing else'
    }
    if ($secret.Split('.')[3] -cne $carried.CaPinToken) {
      Stop-Run 4 "pin_mismatch: the token is for a server with another CA than this script's ($($carried.CaPin))" `
        'nothing was sent. Make the token on this server, or fetch the script from the one that made it'
    }
  }
  # Of several pins one must be carried: while a CA is replaced, both are given.
  $pins = @(Get-GivenPins)
  if ($pins) {
    if ($pins -cnotcontains $carried.CaPin -and $pins -cnotcontains $carried.LeafPin) {
      Write-Said "pin_mismatch: this script's server has another key than -CaPin says"
      Stop-Run 4 "expected $($pins -join ', '), found $($carried.CaPin)" `
        'nothing was sent. Either this is not the server that you meant, or its CA was replaced: see vigocli ca show'
    }
  } elseif ($bound.ContainsKey('CaPin')) {
    Stop-Usage '-CaPin needs a value'
  } elseif ($secret -or -not $isPinned) {
    $pins = @($carried.CaPin)
  } else {
    Write-Said "no -CaPin and no token: $($carried.Server) is trusted because it answers first; its CA is $($carried.CaPin)"
  }

  if ("$([Environment]::OSVersion.Platform)" -ne 'Win32NT') {
    Stop-Run 1 'platform_unsupported: this script is for Windows' 'elsewhere: curl ... /bootstrap | sudo sh'
  }
  # In a 32-bit PowerShell the second one tells of the machine.
  $machine = @($env:PROCESSOR_ARCHITEW6432, $env:PROCESSOR_ARCHITECTURE) | Where-Object { $_ } | Select-Object -First 1
  $arch = switch ($machine) {
    'AMD64' { 'x86_64' }
    'ARM64' { 'aarch64' }
    default {
      Stop-Run 1 "platform_unsupported: there is no agent for $machine" `
        'supported on Windows: x86_64 (AMD64), aarch64 (ARM64)'
    }
  }
  $me = New-Object -TypeName Security.Principal.WindowsPrincipal -ArgumentList (
    [Security.Principal.WindowsIdentity]::GetCurrent()
  )
  if (-not $NoService -and -not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    Stop-Run 1 'not_administrator: only an administrator may install a service' `
      'open PowerShell with "Run as administrator", or pass -NoService with -ConfigDir, -StateDir and -BinDir'
  }

  # Staged beside the target, in a folder that nobody else can write to.
  $programs = @($env:ProgramW6432, $env:ProgramFiles) | Where-Object { $_ } | Select-Object -First 1
  $target = if ($BinDir) { Get-FullPath $BinDir } else { Join-Path -Path $programs -ChildPath 'Vigo' }
  if (-not (Test-Path -LiteralPath $target -PathType Container)) {
    New-Folder $target $true
    $run.Made = $target
  }
  $stage = Join-Path -Path $target -ChildPath ('.vigo-' + [Guid]::NewGuid().ToString('N'))
  New-Folder $stage $false
  $run.Stage = $stage

  $latest = Get-Latest $arch
  Write-Host "vigo: fetching vigo $($latest.version) for windows-$arch from $($carried.ApiAddr) ($($latest.size) bytes)"
  $program = Join-Path -Path $stage -ChildPath 'vigo.exe'
  $status = Receive-File "/api/v1/agent/download/windows/$arch" $program ([long]$latest.size) 'application/octet-stream'
  $actual = (Get-FileHash -LiteralPath $program -Algorithm SHA256).Hash.ToLowerInvariant()
  if ($status -ne 200 -or $actual -cne $latest.sha256) {
    Remove-Item -LiteralPath $program -Force
    Write-Said 'checksum_mismatch: the agent that was fetched is not the one that the server announces'
    Stop-Run 1 "expected $($latest.sha256), found $actual (status $status)" `
      'it was removed; nothing was changed. Try again'
  }

  if ($SigningPin) { Confirm-Signature $latest $arch $actual $program }

  $arguments = @('bootstrap', '--server', $carried.Server, '--api-addr', $carried.ApiAddr)
  foreach ($pin in $pins) { $arguments += '--ca-pin', $pin }
  if ($SigningPin) {
    $arguments += '--signing-pin', $SigningPin, '--manifest', $latest.manifest, '--signature', $latest.signature
  }
  $arguments += '--force'
  if ($Hostname) { $arguments += '--hostname', $Hostname }
  if ($ConfigDir) { $arguments += '--config-dir', (Get-FullPath $ConfigDir) }
  if ($StateDir) { $arguments += '--state-dir', (Get-FullPath $StateDir) }
  $arguments += '--bin-dir', $target
  if ($NoService) { $arguments += '--no-service' }
  if ($secret) { $arguments += '--token-stdin' }
  $run.Code = Invoke-Agent $program $arguments $secret
  $run.Said = $true
} catch {
  if (-not $run.Said) { Write-Said "failed: $(@(Get-Causes $_.Exception)[-1].Message)" }
} finally {
  $secret = $null
  if ($run.Encoding) { [Console]::InputEncoding = $run.Encoding }
  if ($null -ne $run.Protocols) { [Net.ServicePointManager]::SecurityProtocol = $run.Protocols }
  if ($run.Stage) {
    try {
      Remove-Item -LiteralPath $run.Stage -Recurse -Force
    } catch {
      Write-Said "$($run.Stage) could not be removed: $($_.Exception.Message)"
    }
  }
  # Only what this run made, and only where nothing was put into it.
  if ($run.Made -and -not (Get-ChildItem -LiteralPath $run.Made -Force -ErrorAction SilentlyContinue)) {
    Remove-Item -LiteralPath $run.Made -Force -ErrorAction SilentlyContinue
  }
}

# A file's own text ends with the code. Text that came by iex or a script block runs in somebody's session, which no
# `exit` of ours may close.
$global:LASTEXITCODE = $run.Code
$own = { 'a block of this text' }
if ($own.File) { exit $run.Code }
if ($run.Code -ne 0) { throw "vigo: this host was not enrolled (exit code $($run.Code))" }
